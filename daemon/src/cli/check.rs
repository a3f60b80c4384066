//! `check`: whether this computer is fit, one line and a remedy each.

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_client::home::Home;

use super::Format;
use crate::check::{self, Finding, Verdict};
use crate::output::{Output, printable};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments, home: &Home, output: Output, settings: &[String]) -> Result<Exit> {
    let findings = check::all(home, settings);
    if arguments.format.json {
        output.document(&findings)?;
    } else {
        for finding in &findings {
            print(output, finding)?;
        }
    }
    let failed = findings.iter().any(|finding| finding.verdict == Verdict::Failed);
    Ok(if failed { Exit::Error } else { Exit::Success })
}

fn print(output: Output, finding: &Finding) -> Result<()> {
    let verdict = match finding.verdict {
        Verdict::Good => "ok  ",
        Verdict::Doubtful => "note",
        Verdict::Failed => "FAIL",
    };
    output.line(format_args!("{verdict}  {}: {}", finding.subject, printable(&finding.what)))?;
    if let Some(remedy) = &finding.remedy {
        output.line(format_args!("      Do: {}", printable(remedy)))?;
    }
    Ok(())
}
