//! The vocabulary of the format: event types, their arguments and the limits that readers enforce.

/// Length of the file header.
pub const HEADER_LEN: usize = 16;
/// Longest string, in bytes.
pub const MAX_STRING: u64 = 1 << 10;
/// Deepest stack, in frames.
pub const MAX_FRAMES: u64 = 128;
/// Longest payload of a batch, in bytes.
pub const MAX_BATCH: u64 = 64 << 10;
/// Most arguments of an event in a thread's stream, its time step not counted.
pub const MAX_ARGS: usize = 4;

/// A version of the format, by the Go release that introduced it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Go 1.22.
    Go122 = 22,
    /// Go 1.23 and 1.24: coroutine switches, stacks of goroutines that existed before the trace.
    Go123 = 23,
    /// Go 1.25: clock snapshots.
    Go125 = 25,
    /// Go 1.26 and later: an explicit end of each generation.
    Go126 = 26,
}

impl Version {
    /// The version of this number, as in `go 1.NN trace`.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Go122, Self::Go123, Self::Go125, Self::Go126]
            .into_iter()
            .find(|version| *version as u32 == number)
    }

    /// The first bytes of a file of this version.
    pub fn header(self) -> [u8; HEADER_LEN] {
        let mut header = *b"go 1.22 trace\0\0\0";
        header[5..7].copy_from_slice((self as u32).to_string().as_bytes());
        header
    }

    /// Whether a batch's first event may be of this type in this version.
    pub(crate) fn has_event(self, byte: u8) -> bool {
        let last = match self {
            Self::Go122 => EventType::UserLog,
            Self::Go123 => EventType::ExperimentalBatch,
            Self::Go125 => EventType::ClockSnapshot,
            Self::Go126 => EventType::GoroutineStackFree,
        };
        byte <= last as u8
    }
}

/// Where an event may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It frames or fills the tables of a generation.
    Structural,
    /// It happened on a thread at a time.
    Timed,
    /// Like `Timed`, of an experiment that may change any time.
    Experimental,
}

/// What the format says about an event type.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its name in Go's text form.
    pub name: &'static str,
    /// Names of its arguments; of timed events, the first is the step in time.
    pub args: &'static [&'static str],
    /// Where it may stand.
    pub class: Class,
}

macro_rules! events {
    ($($number:literal $name:ident $class:ident [$($arg:literal)*];)*) => {
        /// Type of an event, the first byte of its encoding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "the names are those of the format")]
        pub enum EventType {
            $($name = $number,)*
        }

        impl EventType {
            /// Every type, by its number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            const SPECS: &[Spec] = &[
                $(Spec { name: stringify!($name), args: &[$($arg,)*], class: Class::$class },)*
            ];
        }
    };
}

events! {
    1 EventBatch Structural ["gen" "m" "time" "size"];
    2 Stacks Structural [];
    3 Stack Structural ["id" "nframes"];
    4 Strings Structural [];
    5 String Structural ["id"];
    6 CPUSamples Structural [];
    7 CPUSample Structural ["time" "m" "p" "g" "stack"];
    8 Frequency Structural ["freq"];
    9 ProcsChange Timed ["dt" "procs_value" "stack"];
    10 ProcStart Timed ["dt" "p" "p_seq"];
    11 ProcStop Timed ["dt"];
    12 ProcSteal Timed ["dt" "p" "p_seq" "m"];
    13 ProcStatus Timed ["dt" "p" "pstatus"];
    14 GoCreate Timed ["dt" "new_g" "new_stack" "stack"];
    15 GoCreateSyscall Timed ["dt" "new_g"];
    16 GoStart Timed ["dt" "g" "g_seq"];
    17 GoDestroy Timed ["dt"];
    18 GoDestroySyscall Timed ["dt"];
    19 GoStop Timed ["dt" "reason_string" "stack"];
    20 GoBlock Timed ["dt" "reason_string" "stack"];
    21 GoUnblock Timed ["dt" "g" "g_seq" "stack"];
    22 GoSyscallBegin Timed ["dt" "p_seq" "stack"];
    23 GoSyscallEnd Timed ["dt"];
    24 GoSyscallEndBlocked Timed ["dt"];
    25 GoStatus Timed ["dt" "g" "m" "gstatus"];
    26 STWBegin Timed ["dt" "kind_string" "stack"];
    27 STWEnd Timed ["dt"];
    28 GCActive Timed ["dt" "gc_seq"];
    29 GCBegin Timed ["dt" "gc_seq" "stack"];
    30 GCEnd Timed ["dt" "gc_seq"];
    31 GCSweepActive Timed ["dt" "p"];
    32 GCSweepBegin Timed ["dt" "stack"];
    33 GCSweepEnd Timed ["dt" "swept_value" "reclaimed_value"];
    34 GCMarkAssistActive Timed ["dt" "g"];
    35 GCMarkAssistBegin Timed ["dt" "stack"];
    36 GCMarkAssistEnd Timed ["dt"];
    37 HeapAlloc Timed ["dt" "heapalloc_value"];
    38 HeapGoal Timed ["dt" "heapgoal_value"];
    39 GoLabel Timed ["dt" "label_string"];
    40 UserTaskBegin Timed ["dt" "task" "parent_task" "name_string" "stack"];
    41 UserTaskEnd Timed ["dt" "task" "stack"];
    42 UserRegionBegin Timed ["dt" "task" "name_string" "stack"];
    43 UserRegionEnd Timed ["dt" "task" "name_string" "stack"];
    44 UserLog Timed ["dt" "task" "key_string" "value_string" "stack"];
    45 GoSwitch Timed ["dt" "g" "g_seq"];
    46 GoSwitchDestroy Timed ["dt" "g" "g_seq"];
    47 GoCreateBlocked Timed ["dt" "new_g" "new_stack" "stack"];
    48 GoStatusStack Timed ["dt" "g" "m" "gstatus" "stack"];
    49 ExperimentalBatch Structural ["exp" "gen" "m" "time"];
    50 Sync Structural [];
    51 ClockSnapshot Structural ["dt" "mono" "sec" "nsec"];
    52 EndOfGeneration Structural [];
    128 Span Experimental ["dt" "id" "npages_value" "kindclass"];
    129 SpanAlloc Experimental ["dt" "id" "npages_value" "kindclass"];
    130 SpanFree Experimental ["dt" "id"];
    131 HeapObject Experimental ["dt" "id" "type"];
    132 HeapObjectAlloc Experimental ["dt" "id" "type"];
    133 HeapObjectFree Experimental ["dt" "id"];
    134 GoroutineStack Experimental ["dt" "id" "order"];
    135 GoroutineStackAlloc Experimental ["dt" "id" "order"];
    136 GoroutineStackFree Experimental ["dt" "id"];
}

/// `BY_NUMBER[n]` is one more than the position in `EventType::ALL` of the type numbered `n`; 0 for none.
const BY_NUMBER: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < EventType::ALL.len() {
        table[EventType::ALL[i] as usize] = i as u8 + 1;
        i += 1;
    }
    table
};

/// Number of arguments of timed events after the step in time; [`NOT_TIMED`] for all others.
const TIMED_ARGS: [u8; 256] = {
    let mut table = [NOT_TIMED; 256];
    let mut i = 0;
    while i < EventType::ALL.len() {
        let spec = &EventType::SPECS[i];
        if !matches!(spec.class, Class::Structural) {
            table[EventType::ALL[i] as usize] = spec.args.len() as u8 - 1;
        }
        i += 1;
    }
    table
};
const NOT_TIMED: u8 = u8::MAX;

impl EventType {
    /// The type with this number.
    #[inline]
    pub fn from_byte(byte: u8) -> Option<Self> {
        match BY_NUMBER[usize::from(byte)] {
            0 => None,
            i => Some(Self::ALL[usize::from(i) - 1]),
        }
    }

    /// What the format says about it.
    pub fn spec(self) -> &'static Spec {
        &Self::SPECS[usize::from(BY_NUMBER[self as usize]) - 1]
    }

    /// Its name in the format.
    pub fn name(self) -> &'static str {
        self.spec().name
    }
}

/// Number of arguments after the step in time, when `byte` is the type of a timed event.
#[inline]
pub(crate) fn timed_args(byte: u8) -> Option<usize> {
    match TIMED_ARGS[usize::from(byte)] {
        NOT_TIMED => None,
        n => Some(usize::from(n)),
    }
}

/// Reads an unsigned LEB128 number at `*pos` and steps over it; `None` when the bytes end before it does
/// or it exceeds 64 bits.
#[inline]
pub(crate) fn uvarint(bytes: &[u8], pos: &mut usize) -> Option<u64> {
    let first = *bytes.get(*pos)?;
    if first < 0x80 {
        *pos += 1;
        return Some(u64::from(first));
    }
    uvarint_long(bytes, pos)
}

fn uvarint_long(bytes: &[u8], pos: &mut usize) -> Option<u64> {
    let mut value = 0;
    for (i, &byte) in bytes[*pos..].iter().take(10).enumerate() {
        if i == 9 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            *pos += i + 1;
            return Some(value);
        }
    }
    None
}

/// Appends `value` as unsigned LEB128.
#[inline]
pub(crate) fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Number of bytes of `value` as unsigned LEB128.
pub(crate) fn uvarint_len(value: u64) -> u64 {
    u64::from((64 - (value | 1).leading_zeros()).div_ceil(7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_their_encoding() {
        for value in [0, 1, 127, 128, 300, 1 << 35, u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            put_uvarint(&mut bytes, value);
            let mut pos = 0;
            assert_eq!(uvarint(&bytes, &mut pos), Some(value));
            assert_eq!((pos, uvarint_len(value)), (bytes.len(), bytes.len() as u64));
            assert_eq!(uvarint(&bytes[..bytes.len() - 1], &mut 0), None, "cut short");
        }
    }

    #[test]
    fn padded_numbers_are_read_and_too_long_ones_are_not() {
        assert_eq!(uvarint(&[0x85, 0x80, 0x80, 0x00], &mut 0), Some(5));
        assert_eq!(uvarint(&[0xff; 10], &mut 0), None);
    }

    #[test]
    fn no_timed_event_has_more_arguments_than_there_is_room_for() {
        let most = EventType::ALL.iter().filter_map(|t| timed_args(*t as u8)).max();
        assert_eq!(most, Some(MAX_ARGS));
    }
}
