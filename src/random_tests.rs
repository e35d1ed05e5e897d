//! Tests of random inputs.
//!
//! Tests that kill processes, or speak to them through sockets, draw from `fastrand` instead: they do not
//! fail in the same way twice, so that no smaller input could be found.

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, RngSeed, TestError, TestRunner},
};

/// Tries so many inputs. If the test panics with one, it is made smaller as long as the test still
/// panics, and shown. An input that hangs or aborts is not shown: the tests run in one process.
///
/// The inputs are the same in every run, unless `PROPTEST_RNG_SEED` is set to another number than 1.
#[allow(clippy::print_stderr, reason = "the test program shows it if the test fails")]
pub(crate) fn check<Inputs: Strategy>(cases: u32, inputs: &Inputs, test: impl Fn(Inputs::Value)) {
    let config = Config::default();
    let config = Config {
        cases,
        rng_seed: match config.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            chosen => chosen,
        },
        // The default resists attackers, which takes most of the time of small tests.
        rng_algorithm: RngAlgorithm::XorShift,
        // A failure is shown; it leaves no file in the repository.
        failure_persistence: None,
        // The default is four times the number of cases: too few for a large input.
        max_shrink_iters: 20_000,
        max_shrink_time: 60_000,
        ..config
    };
    let tried = TestRunner::new(config).run(inputs, |input| {
        test(input);
        Ok(())
    });
    match tried {
        Ok(()) => {}
        Err(TestError::Fail(reason, input)) => {
            eprintln!("the smallest input that fails: {input:#?}");
            // Once more, because panics are silent above, and this one tells its place.
            test(input);
            panic!("fails now and then: {reason}");
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}
