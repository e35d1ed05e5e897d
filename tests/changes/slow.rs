//! Rows that take as long as a change may: an answer is waited for 35 s, and a state that is
//! as before is believed after a quarter of a minute. They all run at once, each with a thread and a
//! world of its own, from the first one that is asked for; and each is a test.

use std::{
    collections::HashMap,
    future::Future,
    sync::{LazyLock, Mutex},
    thread::{self, JoinHandle},
};

use tokio::task::LocalSet;

use super::{disk, fates, kills};

macro_rules! slow {
    ($($module:ident { $($name:ident)* })*) => {
        $($(
            #[test]
            fn $name() {
                join(stringify!($name));
            }
        )*)*

        static ROWS: LazyLock<Mutex<HashMap<&str, JoinHandle<()>>>> = LazyLock::new(|| {
            Mutex::new([$($((stringify!($name), start(stringify!($name), $module::$name))),*),*].into())
        });
    };
}

slow! {
    fates {
        fault_p02_silence_after_it_was_done_is_applied
        fault_p02_silence_before_it_was_done_is_not_applied
        fault_p04_a_reset_before_it_was_done_is_not_applied
        fault_p05_a_garbled_success_that_did_nothing_is_not_applied
        fault_p07_a_part_of_it_is_partial
        fault_p16_errors_of_servers_that_did_nothing_are_not_applied
        fault_p16_a_field_that_stays_empty_is_not_applied
        fault_p17_what_cannot_be_read_back_is_unknown
        fault_p19_an_effect_that_shows_late_is_applied
        fault_p19_an_effect_that_shows_too_late_is_ours
        a_turn_that_our_own_rate_limit_does_not_leave
    }
    disk {
        fault_c10_a_full_disk_at_the_outcome
    }
    kills {
        fault_c14_killed_at_each_step
        fault_c14_killed_at_random
    }
}

fn start<F: Future<Output = ()> + 'static>(name: &str, row: fn() -> F) -> JoinHandle<()> {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime can be built");
        LocalSet::new().block_on(&runtime, row());
    };
    thread::Builder::new().name(name.to_owned()).spawn(run).expect("a thread can be started")
}

fn join(name: &str) {
    let row = ROWS.lock().unwrap().remove(name).expect("each is asked for once");
    if let Err(why) = row.join() {
        // What a thread says goes to the test that started it.
        let text = why.downcast_ref::<String>().map(String::as_str);
        let text = text.or(why.downcast_ref::<&str>().copied());
        panic!("{}", text.unwrap_or("it panicked"));
    }
}
