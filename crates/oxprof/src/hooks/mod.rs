//! Functions of ours in front of libc's of the same name, in which threads block.
//!
//! ```text
//! std, parking_lot, tokio, … ─syscall(futex)─┐
//! pthread_join, pthread_mutex_lock, …        ├─▶ blocked ─▶ threads::wait: where it waits, for dumps
//! epoll_wait, nanosleep, recv, …            ─┘          ├─▶ contention: how long, and who ended it
//!                                                       └─▶ trace: when
//! ```
//!
//! Our symbols win over those of libc: in the whole program if they are linked into it, in a shared library for that
//! library. They are protected: a library that is loaded into a program binds to its own, not to libc's, and libraries
//! that a program is linked to find the program's. What does not come by here is not seen: waits inside of libc,
//! system calls that code makes by itself, and C code in other libraries that calls libc's functions by hidden names.
//!
//! # Rules
//! 1. While nothing is [`on`] that a hook is for, it is a load, a branch and the call of the function behind.
//! 2. What the function behind returns, and leaves in `errno`, is what the caller gets.
//! 3. A hook allocates nothing, waits for nobody but for locks of nanoseconds in [`contention`](crate::contention), and
//!    calls nothing of libc's but the function behind and `clock_gettime`.
//! 4. A hook may be called at any time: in signal handlers, before constructors and after destructors, in children of
//!    `fork`. So it uses no thread-local variable that has to be initialised, and none that the compiler reaches by a
//!    call, which may allocate in a library that was loaded: what it keeps of a thread is in the words of `arch`.
//! 5. Functions in which a thread may be cancelled may unwind.

mod blocked;
mod calls;
pub(crate) mod descriptors;
#[cfg(not(target_feature = "crt-static"))]
pub(crate) mod next;
pub(crate) mod on;
mod pthread;
mod start;
mod syscall;

/// Whether these hooks are in this program.
pub(crate) const ARE_HERE: bool = cfg!(oxprof_block);

/// Puts functions in front of libc's of the same name, where the setting says so. Each also says of itself
/// `#[cfg_attr(…, unsafe(no_mangle))]`.
///
/// In programs without these hooks the functions are compiled all the same, under names of their own: so settings are
/// asked for in these two places only, and nothing that hooks call is dead.
macro_rules! interpose {
    ($setting:ident: $($function:ident)*) => {
        $(
            #[cfg($setting)]
            std::arch::global_asm!(concat!(".protected ", stringify!($function)));
            const _: *const () = $function as *const ();
        )*
    };
}
pub(crate) use interpose;

/// Lets threads publish where they wait from now on, so that whoever wants to know need not interrupt them.
pub(crate) fn publish() {
    on::turn(on::Purposes::PUBLISH, true);
}
