//! Errors as JavaScript sees them: an `Error` with a stable `code`, a `message` that says what is
//! wrong with its numbers, and a `hint` that says what to do.

use std::fmt::Display;

use js_sys::Reflect;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::neural;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What every function of this package throws. Programs look at `code`; people read the rest. */
export interface SynapticMeshError extends Error {
  /** Stable name of the cause, such as "data-ragged". */
  readonly code: string;
  /** What to do about it. */
  readonly hint: string;
  /** What it was caused by, if that says more. */
  readonly cause?: unknown;
}
"#;

/// An error that knows its code and its hint.
pub(crate) trait Coded: Display {
    /// Stable name of the cause.
    fn code(&self) -> &'static str;
    /// What to do about it.
    fn hint(&self) -> &'static str;
}

/// An argument that is not what the TypeScript declarations say.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadArgument(pub(crate) String);

impl Coded for BadArgument {
    fn code(&self) -> &'static str {
        "bad-argument"
    }

    fn hint(&self) -> &'static str {
        "see the type declarations of the package"
    }
}

/// The error as a JavaScript `Error`.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
pub(crate) fn thrown(error: impl Coded) -> JsValue {
    made(&error)
}

/// [`thrown`], once for all kinds of errors.
fn made(error: &dyn Coded) -> JsValue {
    let object: JsValue = js_sys::Error::new(&error.to_string()).into();
    for (name, text) in [("code", error.code()), ("hint", error.hint())] {
        // Setting a property of a fresh object cannot fail.
        let _ = Reflect::set(&object, &name.into(), &text.into());
    }
    object
}

macro_rules! coded {
    ($($error:ty),+) => {
        $(impl Coded for $error {
            fn code(&self) -> &'static str {
                <$error>::code(self)
            }

            fn hint(&self) -> &'static str {
                <$error>::hint(self)
            }
        })+
    };
}

coded!(neural::Error, neural::dataset::Error, neural::model::Error);

#[cfg(feature = "fann")]
coded!(neural::fann::Error);
