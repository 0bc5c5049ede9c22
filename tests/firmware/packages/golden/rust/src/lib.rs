#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), no_std)]
#![allow(non_snake_case)]
#![warn(missing_docs)]

#[allow(non_upper_case_globals)]
mod ffi;
mod label;
mod outcome;
#[cfg(test)]
mod tests;

use core::sync::atomic::{AtomicBool, Ordering};

pub use label::{Label, LABELS};
pub use outcome::{Decision, Drift, Error, Outcome};

/// The classifier's version.
pub const VERSION: &str = "1.2.3";
/// SHA-256 of the `.tflite` file that the network is.
#[rustfmt::skip]
pub const MODEL_SHA256: &str = "fc576e87304945c0141e1fcfed68ac10fa7e5f05e6510b62fe97f68993c5cc85";
/// Samples in a window.
pub const WINDOW_SAMPLES: usize = 4;
/// Samples from the start of a window to that of the next.
pub const HOP_SAMPLES: usize = 2;
/// Values in a sample.
pub const CHANNELS: usize = 2;
/// Values in a window: the oldest sample first, channels side by side.
pub const WINDOW_VALUES: usize = WINDOW_SAMPLES * CHANNELS;
/// Values that the network puts out.
pub const OUTPUTS: usize = 3;
/// Samples in a second, as trained.
pub const SAMPLE_RATE_HZ: f32 = 50.0;
/// What the channels are.
#[rustfmt::skip]
pub const CHANNEL_NAMES: [&str; CHANNELS] = ["ax", "gyro"];
/// The channels' physical units.
#[rustfmt::skip]
pub const CHANNEL_UNITS: [&str; CHANNELS] = ["g", "\u{b0}/s"];

static IN_USE: AtomicBool = AtomicBool::new(false);

/// The classifier.
///
/// Its memory is static in the C, so there is one at a time; dropping it lets the next be made. All that writes the
/// memory takes `&mut self`, so that it can be sent to other threads, and shared under a lock.
#[derive(Debug)]
pub struct Classifier {
    // Others cannot make one.
    _private: (),
}

#[rustfmt::skip]
impl Classifier {
    /// Start with an empty window and no results.
    ///
    /// On targets whose atomics cannot swap, such as `thumbv6m`, there is [`Self::new_unchecked`] alone.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] where there is one already, [`Error::Damaged`] where the network's constants have changed.
    #[cfg(target_has_atomic = "8")]
    pub fn new() -> Result<Self, Error> {
        if IN_USE.swap(true, Ordering::Acquire) {
            return Err(Error::InUse);
        }
        let mut classifier = Self { _private: () };
        classifier.reset()?;
        Ok(classifier)
    }

    /// As `new`, without looking whether there is one already.
    ///
    /// # Safety
    ///
    /// There must be no other classifier as long as this one lives.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] where the network's constants have changed.
    pub unsafe fn new_unchecked() -> Result<Self, Error> {
        IN_USE.store(true, Ordering::Relaxed);
        let mut classifier = Self { _private: () };
        classifier.reset()?;
        Ok(classifier)
    }

    /// Start anew: empty window, no results, monitor reset.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] where the network's constants have changed.
    pub fn reset(&mut self) -> Result<(), Error> {
        // SAFETY: `&mut` of the one classifier: nobody else is in the C's memory. So too in all calls below.
        match unsafe { ffi::wrist_init() } {
            ffi::OK => Ok(()),
            _ => Err(Error::Damaged),
        }
    }

    /// Whether no byte of the network's constants has changed.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] where one has.
    pub fn check(&self) -> Result<(), Error> {
        // SAFETY: it reads constants alone.
        match unsafe { ffi::wrist_check() } {
            ffi::OK => Ok(()),
            _ => Err(Error::Damaged),
        }
    }

    /// Run known windows: `Ok` only if every byte is the reference kernels'. The stream stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] where the network's constants have changed, [`Error::Arithmetic`] where results are others.
    pub fn selftest(&mut self) -> Result<(), Error> {
        self.check()?;
        // SAFETY: see `reset`.
        match unsafe { ffi::wrist_selftest() } {
            ffi::OK => Ok(()),
            _ => Err(Error::Arithmetic),
        }
    }

    /// Classify a window in physical units.
    ///
    /// # Errors
    ///
    /// [`Error::NotANumber`] where a value is NaN.
    pub fn classify(&mut self, window: &[f32; WINDOW_VALUES]) -> Result<Outcome, Error> {
        let mut raw = ffi::RawResult::ZERO;
        // SAFETY: see `reset`; the C reads WINDOW_VALUES values and writes one result.
        match unsafe { ffi::wrist_classify(window.as_ptr(), &mut raw) } {
            ffi::OK => Ok(Outcome::from_raw(&raw)),
            _ => Err(Error::NotANumber),
        }
    }

    /// Classify a window that is normalized and quantized already.
    pub fn classify_q(&mut self, window: &[i8; WINDOW_VALUES]) -> Outcome {
        let mut raw = ffi::RawResult::ZERO;
        // SAFETY: as in `classify`. It always succeeds.
        unsafe { ffi::wrist_classify_q(window.as_ptr(), &mut raw) };
        Outcome::from_raw(&raw)
    }

    /// Classify a window of raw sensor counts, in integers alone.
    pub fn classify_counts(&mut self, window: &[i16; WINDOW_VALUES]) -> Outcome {
        let mut raw = ffi::RawResult::ZERO;
        // SAFETY: as in `classify`. It always succeeds.
        unsafe { ffi::wrist_classify_counts(window.as_ptr(), &mut raw) };
        Outcome::from_raw(&raw)
    }

    /// Take one sample in physical units. Every [`HOP_SAMPLES`] samples, once the first window is full, it is
    /// classified, smoothed over the last results and debounced.
    ///
    /// # Errors
    ///
    /// [`Error::NotANumber`] where a value is NaN, which empties the window.
    pub fn push(&mut self, sample: &[f32; CHANNELS]) -> Result<Option<Decision>, Error> {
        let mut raw = ffi::RawResult::ZERO;
        // SAFETY: see `reset`; the C reads CHANNELS values and writes one result at most.
        match unsafe { ffi::wrist_push(sample.as_ptr(), &mut raw) } {
            ffi::NEW_RESULT => Ok(Some(Decision::from_raw(&raw))),
            ffi::NOT_A_NUMBER => Err(Error::NotANumber),
            _ => Ok(None),
        }
    }

    /// As [`Self::push`], for a sample that is normalized and quantized already.
    pub fn push_q(&mut self, sample: &[i8; CHANNELS]) -> Option<Decision> {
        let mut raw = ffi::RawResult::ZERO;
        // SAFETY: as in `push`.
        let code = unsafe { ffi::wrist_push_q(sample.as_ptr(), &mut raw) };
        (code == ffi::NEW_RESULT).then(|| Decision::from_raw(&raw))
    }

    /// As [`Self::push`], for raw sensor counts.
    pub fn push_counts(&mut self, sample: &[i16; CHANNELS]) -> Option<Decision> {
        let mut raw = ffi::RawResult::ZERO;
        // SAFETY: as in `push`.
        let code = unsafe { ffi::wrist_push_counts(sample.as_ptr(), &mut raw) };
        (code == ffi::NEW_RESULT).then(|| Decision::from_raw(&raw))
    }

    /// Compare what was pushed since the last reset with the training data.
    ///
    /// `None` where nothing was.
    pub fn monitor(&self) -> Option<Drift> {
        let mut raw = ffi::RawDrift::ZERO;
        // SAFETY: it reads the C's memory, which nobody writes while `&self` lives, and writes `raw`.
        let code = unsafe { ffi::wrist_monitor(&mut raw) };
        (code == ffi::OK).then(|| Drift::from_raw(&raw))
    }

    /// Forget what the monitor has seen.
    pub fn monitor_reset(&mut self) {
        // SAFETY: see `reset`.
        unsafe { ffi::wrist_monitor_reset() };
    }
}

impl Drop for Classifier {
    fn drop(&mut self) {
        IN_USE.store(false, Ordering::Release);
    }
}
