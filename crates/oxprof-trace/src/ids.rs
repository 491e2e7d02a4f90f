//! Names of things in a trace, one type each so that they cannot be confused.

use std::fmt;

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident($inner:ty), none = $none:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// "No such thing", as the format writes it.
            pub const NONE: Self = Self($none);

            /// Whether this names nothing.
            #[inline]
            pub const fn is_none(self) -> bool {
                self.0 == Self::NONE.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::NONE
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

id_type!(
    /// A thread of the operating system (an M).
    ThreadId(i64), none = -1
);
id_type!(
    /// A processor (a P): the right to run goroutines.
    ProcId(i64), none = -1
);
id_type!(
    /// A goroutine or task (a G), as the traced program numbers it.
    GoId(i64), none = -1
);
id_type!(
    /// A task that the program declared; 0 is the background task that regions outside any task have.
    TaskId(u64), none = u64::MAX
);
id_type!(
    /// A small number for a goroutine while it lives, for tables indexed by it.
    ///
    /// Numbers are dense, and free again once the goroutine has ended or the reader has reported a gap
    /// ([`SyncKind::Gap`](crate::SyncKind::Gap)).
    Slot(u32), none = u32::MAX
);
id_type!(
    /// A string of the current generation's [`Tables`](crate::Tables); `Str(0)` is the empty one.
    Str(u32), none = 0
);
id_type!(
    /// A stack of the current generation's [`Tables`](crate::Tables); `Stack(0)` is the empty one.
    Stack(u32), none = 0
);

impl Slot {
    /// The number as an index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
