//! Rows G: plugins that are broken, hostile, or not what they were. forge lives through each, names the plugin, and the next
//! task runs. Does not know how forge guards itself.

mod evil;
mod file_by_itself;
mod files;
mod in_cpp;
mod in_go;
mod in_process;
mod in_rust;
mod pins;
mod places;
mod secrets;
mod steps;
mod stops;
mod talk;
mod threads;
