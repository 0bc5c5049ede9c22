//! `cargo test`: the C linked into this crate gives the reference's bytes.

use super::*;
use std::ffi::CStr;

#[path = "../examples/selftest/window.rs"]
mod window;

/// The one classifier, once no other test has it.
fn classifier() -> Classifier {
    loop {
        match Classifier::new() {
            Err(Error::InUse) => std::thread::yield_now(),
            made => return made.unwrap(),
        }
    }
}

fn label_in_c(index: usize) -> &'static [u8] {
    // SAFETY: the C's labels are constant strings.
    unsafe { CStr::from_ptr(ffi::wrist_labels[index]) }.to_bytes()
}

#[test]
fn the_labels_are_those_of_the_c() {
    for (index, label) in Label::ALL.into_iter().enumerate() {
        assert_eq!(label as usize, index);
        assert_eq!(Label::from_index(index), Some(label));
        let name = label.name().split('\0').next().unwrap();
        assert_eq!(name.as_bytes(), label_in_c(index));
    }
    assert_eq!(Label::from_index(LABELS.len()), None);
}

#[test]
fn there_is_one_classifier_at_a_time() {
    let first = classifier();
    assert_eq!(Classifier::new().unwrap_err(), Error::InUse);
    drop(first);
    classifier();
}

#[test]
fn a_classifier_can_go_to_other_threads() {
    fn check<T: Send + Sync>(_: &T) {}
    check(&classifier());
}

#[rustfmt::skip]
#[test]
fn known_windows_give_the_reference_outputs() {
    let mut classifier = classifier();
    assert_eq!(classifier.selftest(), Ok(()));
    // SAFETY: they are constant.
    let (inputs, outputs) = unsafe { (&ffi::wrist_network_selftest_inputs, &ffi::wrist_network_selftest_outputs) };
    for (input, output) in inputs.iter().zip(outputs) {
        assert_eq!(classifier.classify_q(input).outputs, *output);
    }
}

#[test]
fn the_example_has_its_label() {
    let outcome = classifier().classify(&window::WINDOW).unwrap();
    assert_eq!(outcome.label as usize, window::LABEL);
    let largest = outcome.probabilities.into_iter().max();
    assert_eq!(Some(outcome.probabilities[window::LABEL]), largest);
}

#[test]
fn a_stream_of_samples_ends_in_the_same_window() {
    let mut classifier = classifier();
    let alone = classifier.classify(&window::WINDOW).unwrap();
    for (count, sample) in window::WINDOW.chunks_exact(CHANNELS).enumerate() {
        let decision = classifier.push(sample.try_into().unwrap()).unwrap();
        assert_eq!(decision.is_some(), count + 1 == WINDOW_SAMPLES);
        if let Some(found) = decision {
            assert_eq!(found.window.outputs, alone.outputs);
        }
    }
    assert!(classifier.monitor().is_some());
    classifier.monitor_reset();
    assert_eq!(classifier.monitor(), None);
}

#[test]
fn nan_is_refused() {
    let mut classifier = classifier();
    let (mut window, mut sample) = (window::WINDOW, [0.0; CHANNELS]);
    window[WINDOW_VALUES - 1] = f32::NAN;
    sample[0] = f32::NAN;
    assert_eq!(classifier.classify(&window), Err(Error::NotANumber));
    assert_eq!(classifier.push(&sample), Err(Error::NotANumber));
}
