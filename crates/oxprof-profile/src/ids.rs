//! Dense indexes into a profile's tables, one type per table so that they cannot be confused.

macro_rules! index_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The index as a `usize`, for slices that run parallel to the table.
            #[inline]
            pub const fn index(self) -> usize {
                self.0 as usize
            }

            /// The index type for position `i` of the table.
            ///
            /// # Panics
            /// When `i` does not fit in 32 bits; the decoders refuse tables of that size.
            #[inline]
            pub fn from_index(i: usize) -> Self {
                Self(u32::try_from(i).expect("profile tables hold fewer than 2^32 entries"))
            }
        }
    };
}

index_type!(
    /// A string of [`Strings`](crate::Strings). `StrId(0)`, the default, is the empty string.
    StrId
);
index_type!(
    /// Position of a [`Mapping`](crate::Mapping) in `Profile::mappings`.
    MappingIdx
);
index_type!(
    /// Position of a [`Function`](crate::Function) in `Profile::functions`.
    FunctionIdx
);
index_type!(
    /// Position of a [`Location`](crate::Location) in `Profile::locations`.
    LocationIdx
);

impl StrId {
    /// The empty string, which every table holds first.
    pub const EMPTY: Self = Self(0);

    /// Whether this is the empty string.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
