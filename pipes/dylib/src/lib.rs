//! The pipes that come with forge, as the library that forge loads.
//! Does not know any of them.

forge_plugin::entry!(forge_pipes::forge_plugin);
