//! The tests of the whole: against real components where there are any.

mod registry_http;
mod registry_publish;
mod registry_server;
mod registry_token;
