//! A change through the admin API, whatever its kind: its plan is shown, it is confirmed and made, and its
//! end is said.

use std::io::{BufRead as _, IsTerminal as _};

use super::{
    client::{Answer, Client},
    text::{Paint, outcome},
};
use crate::{
    change::ChangeView,
    cli::{
        exit::{FINE, Failure},
        terminal::complain,
    },
};

/// A plan found something to change.
const CHANGES: u8 = 2;

/// The effect of a change of one kind.
pub(in crate::cli) trait Effect: Sized {
    /// True if everything is as wanted already.
    fn is_nothing(&self) -> bool;

    /// The effect that the change would have, and the warnings.
    fn planned(change: &ChangeView<Self>, paint: &Paint) -> Vec<String>;

    /// The end of each part, where the outcome of the whole does not say it.
    fn parts(&self, paint: &Paint) -> Vec<String>;
}

/// The exit code of a plan.
pub(in crate::cli) fn code_of_plan<E: Effect>(change: &ChangeView<E>) -> u8 {
    if change.effect.is_nothing() { FINE } else { CHANGES }
}

/// The consent to a change.
pub(in crate::cli) enum Consent {
    /// It is only to be planned.
    Never,
    /// `--yes`.
    Given,
    /// The answer to this question.
    Asked(String),
}

/// Plans a change and, with the consent to it, makes it. `send` sends the request, as a plan or to be
/// done; a refusal leaves out the warnings that it is given.
pub(in crate::cli) async fn make<E: Effect>(
    client: &Client,
    consent: Consent,
    send: impl AsyncFn(bool, &[String]) -> Result<Answer<ChangeView<E>>, Failure>,
) -> Result<u8, Failure> {
    let out = &client.out;
    let plan = send(true, &[]).await?;
    out.say(&E::planned(&plan.body, &out.paint));
    if plan.body.effect.is_nothing() || matches!(consent, Consent::Never) {
        out.raw(&plan.raw);
        return Ok(code_of_plan(&plan.body));
    }
    if let Consent::Asked(question) = consent
        && !confirmed(&question)?
    {
        return Err("nothing was changed".into());
    }
    // The warnings of the plan are not repeated.
    let said = &plan.body.warnings;
    let answer = send(false, said).await?;
    out.raw(&answer.raw);
    out.say(&answer.body.effect.parts(&out.paint));
    out.say(&outcome(&(&answer.body).into(), said, &out.paint));
    Ok(FINE)
}

/// Fails without a terminal to ask on.
pub(in crate::cli) fn may_ask(yes: bool, can_ask: bool) -> Result<(), Failure> {
    let can_ask = can_ask && std::io::stdin().is_terminal();
    if !yes && !can_ask {
        let why = "there is no terminal to ask on: check the plan, then use --yes";
        return Err(Failure::usage(why.to_owned()));
    }
    Ok(())
}

fn confirmed(question: &str) -> Result<bool, Failure> {
    complain(question);
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| format!("no answer: {error}"))?;
    Ok(line.trim() == "yes")
}
