//! Every format that is known by its start: the first byte chooses it, the rest follows its start.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxprof_profile::decode;

const STARTS: [&[u8]; 14] = [
    b"PERFILE2h\0\0\0\0\0\0\0",
    b"heap profile: 1: 8 [1: 8] @ heap_v2/524288\n",
    b"heap profile: 1: 8 [2: 16] @ heapprofile\n",
    b"heap profile: 1: 8 [2: 16] @ growthz\n",
    b"goroutine profile: total 3\n",
    b"--- threadz 1 ---\n--- Thread 7 (name: m/1) stack: ---\n",
    b"--- contentionz 1 ---\ncycles/second = 20\n",
    b"--- contentionz 1 ---\nformat = java\nresolution = microseconds\n",
    b"--- heapz 1 ---\nformat = java\nresolution = bytes\n",
    b"\0\0\0\0\x03\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0",
    b"\0\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"{\"nodes\":[{\"id\":1,\"callFrame\":{\"functionName\":\"f\"}",
    b"x 1/2 [000] 1.5: 7 cycles:u: \n",
    b"heap profile: 1: 8 [1: 8] @ heapprofile\n1: 8 [1: 8] @ 0x1001\nMAPPED_LIBRARIES:\n",
];

fuzz_target!(|data: &[u8]| {
    if let Some((&choice, rest)) = data.split_first() {
        let start = STARTS[choice as usize % STARTS.len()];
        let _ = decode(&[start, rest].concat());
    }
});
