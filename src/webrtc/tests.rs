//! What only tests need of WebRTC without a browser.

mod frames;
mod signals;
mod slots;
mod streams;
