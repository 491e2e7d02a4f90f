//! Reports over profiles: graphs, tables, trees, listings.
