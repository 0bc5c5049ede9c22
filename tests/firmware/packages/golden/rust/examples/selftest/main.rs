//! Checks the classifier and classifies one window.

mod window;

use wrist::{Classifier, Error};

fn main() -> Result<(), Error> {
    let mut classifier = Classifier::new()?;
    classifier.selftest()?;
    let outcome = classifier.classify(&window::WINDOW)?;
    println!(
        "self-test passed; window is {}, margin {}/32767",
        outcome.label, outcome.margin
    );
    assert_eq!(outcome.label as usize, window::LABEL);
    Ok(())
}
