//! The engine of forge: from the text of a project file to artifacts and a report.
//! Does not know any pipe.

pub mod registries;
pub mod run {
    //! Acts: all that a task does to the world goes through here.
    //! Does not know what a task is for.

    pub mod credentials;
    pub mod http;
}
