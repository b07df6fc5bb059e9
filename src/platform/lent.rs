//! A table for values that must not leave this thread, and `Send` handles into it.
//!
//! libp2p wants transports, sockets and their futures to be `Send`; JavaScript values are not.
//! On wasm there is one thread and nothing is ever sent, so the value stays in a thread-local
//! table and a handle, a plain number, satisfies the bound without a line of `unsafe`. On another
//! thread a handle would find nothing, which [`Lent::with`] reports as `None`.
//!
//! Look-up is O(log n) in the number of live handles (a few per socket).

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

thread_local! {
    static TABLE: RefCell<BTreeMap<u64, Rc<dyn Any>>> = const { RefCell::new(BTreeMap::new()) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// The only handle to a value in the table; dropping it drops the value.
pub(crate) struct Lent<T> {
    id: u64,
    // `fn() -> T` is Send and Sync whatever T is: the handle owns no T.
    value: PhantomData<fn() -> T>,
}

impl<T: 'static> Lent<T> {
    /// Moves `value` into the table.
    pub(crate) fn new(value: T) -> Self {
        let id = NEXT.with(|next| next.replace(next.get() + 1));
        TABLE.with_borrow_mut(|table| table.insert(id, Rc::new(value)));
        Self { id, value: PhantomData }
    }

    /// Calls `f` with the value. The table is not borrowed meanwhile, so `f` may call out to
    /// JavaScript that comes back here.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        let value = TABLE.with_borrow(|table| table.get(&self.id).cloned())?;
        value.downcast_ref::<T>().map(f)
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        // The value is dropped after the borrow ends: its own drop may use the table.
        let value = TABLE.try_with(|table| table.borrow_mut().remove(&self.id));
        drop(value);
    }
}

impl<T> fmt::Debug for Lent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lent").field(&self.id).finish()
    }
}
