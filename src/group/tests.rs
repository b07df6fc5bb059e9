//! Groups under faults: what Raft promises, and what a reader and a writer can rely on.

mod cluster;
mod rules;



