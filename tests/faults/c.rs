//! Rows C: registries, networks and credentials that fail.
//! Does not know what is published.
