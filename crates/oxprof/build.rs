//! Says which hooks this program has: functions of ours that bear the names of libc's.

use std::env::var_os;

/// The features with hooks, and the settings that say that they are there.
const HOOKS: [(&str, &str); 3] = [
    ("CARGO_FEATURE_BLOCK", "oxprof_block"),
    ("CARGO_FEATURE_MALLOC", "oxprof_malloc"),
    ("CARGO_FEATURE_PTHREAD_CREATE", "oxprof_pthread_create"),
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Sanitizers bring functions under the same names; the model checker's primitives work in its models only.
    let excluded = var_os("CARGO_CFG_SANITIZE").or(var_os("CARGO_CFG_OXPROF_LOOM")).is_some();
    for (feature, setting) in HOOKS {
        println!("cargo:rustc-check-cfg=cfg({setting})");
        if var_os(feature).is_some() && !excluded {
            println!("cargo:rustc-cfg={setting}");
        }
    }
}
