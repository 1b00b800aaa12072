//! What the tests stand on: projects, the executable, and real services and programs.
//! Does not know what is tested. `tests/run` installs and starts what is asked for here.

pub mod alpine;
pub mod asked;
pub mod azure;
pub mod bucket;
pub mod builds;
pub mod certificates;
pub mod containers;
pub mod crates;
pub mod disk;
pub mod docker;
pub mod files;
pub mod forge;
pub mod gcs;
pub mod git_server;
pub mod gitea;
pub mod github;
pub mod gitlab;
pub mod killed;
pub mod mail;
pub mod nginx;
pub mod olareg;
pub mod package_servers;
pub mod program;
pub mod project;
pub mod proxy;
pub mod registry;
pub mod script;
pub mod served;
pub mod small;
pub mod strangers;
pub mod versity;
