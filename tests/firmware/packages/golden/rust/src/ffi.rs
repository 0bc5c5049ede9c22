//! What `csrc/wrist.h` declares. `csrc/wrist_layout.c` holds the C to the same numbers as the end of this file.

use crate::{CHANNELS, OUTPUTS};
use core::ffi::c_int;

pub const OK: c_int = 0;
pub const NEW_RESULT: c_int = 1;
pub const NOT_A_NUMBER: c_int = -1;

const LABELS: usize = crate::LABELS.len();

/// `wrist_result`
#[repr(C)]
pub struct RawResult {
    pub label: i32,
    pub window_label: i32,
    pub changed: i32,
    pub outputs: [i8; OUTPUTS],
    pub probabilities: [i16; LABELS],
    pub margin: i16,
}

impl RawResult {
    pub const ZERO: Self = Self {
        label: 0,
        window_label: 0,
        changed: 0,
        outputs: [0; OUTPUTS],
        probabilities: [0; LABELS],
        margin: 0,
    };
}

/// `wrist_drift`
#[repr(C)]
pub struct RawDrift {
    pub samples: u32,
    pub mean_shift: [i32; CHANNELS],
    pub spread: [i32; CHANNELS],
    pub clipped: [i32; CHANNELS],
}

impl RawDrift {
    pub const ZERO: Self = Self {
        samples: 0,
        mean_shift: [0; CHANNELS],
        spread: [0; CHANNELS],
        clipped: [0; CHANNELS],
    };
}

#[rustfmt::skip]
extern "C" {
    pub fn wrist_init() -> c_int;
    pub fn wrist_check() -> c_int;
    pub fn wrist_selftest() -> c_int;
    pub fn wrist_classify(window: *const f32, result: *mut RawResult) -> c_int;
    pub fn wrist_classify_q(window: *const i8, result: *mut RawResult) -> c_int;
    pub fn wrist_classify_counts(window: *const i16, result: *mut RawResult) -> c_int;
    pub fn wrist_push(sample: *const f32, result: *mut RawResult) -> c_int;
    pub fn wrist_push_q(sample: *const i8, result: *mut RawResult) -> c_int;
    pub fn wrist_push_counts(sample: *const i16, result: *mut RawResult) -> c_int;
    pub fn wrist_monitor(drift: *mut RawDrift) -> c_int;
    pub fn wrist_monitor_reset();
}

#[cfg(test)]
#[rustfmt::skip]
extern "C" {
    pub static wrist_labels: [*const core::ffi::c_char; LABELS];
    pub static wrist_network_selftest_inputs: [[i8; crate::WINDOW_VALUES]; 4];
    pub static wrist_network_selftest_outputs: [[i8; OUTPUTS]; 4];
}

#[rustfmt::skip]
const _: () = {
    use core::mem::{offset_of, size_of};
    assert!(crate::WINDOW_SAMPLES == 4 && crate::HOP_SAMPLES == 2 && CHANNELS == 2);
    assert!(LABELS == 3 && OUTPUTS == 3);
    assert!(offset_of!(RawResult, label) == 0);
    assert!(offset_of!(RawResult, window_label) == 4);
    assert!(offset_of!(RawResult, changed) == 8);
    assert!(offset_of!(RawResult, outputs) == 12);
    assert!(offset_of!(RawResult, probabilities) == 16);
    assert!(offset_of!(RawResult, margin) == 22);
    assert!(size_of::<RawResult>() == 24);
    assert!(offset_of!(RawDrift, samples) == 0);
    assert!(offset_of!(RawDrift, mean_shift) == 4);
    assert!(offset_of!(RawDrift, spread) == 12);
    assert!(offset_of!(RawDrift, clipped) == 20);
    assert!(size_of::<RawDrift>() == 28);
};
