//! Says whether hooks can be there: functions of ours in front of libc's of the same name.

use std::env::var_os;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(oxprof_hooks)");
    // Sanitizers bring functions under the same names; the model checker's primitives work in its models only.
    let excluded = var_os("CARGO_CFG_SANITIZE").or(var_os("CARGO_CFG_OXPROF_LOOM"));
    if excluded.is_none() {
        println!("cargo:rustc-cfg=oxprof_hooks");
    }
}
