//! The thin binary: arguments, logging, and which part of the program was meant.
//!
//! The console draws its first frame before an async runtime exists; see `compose::console`.

use std::process::ExitCode;

use clap::Parser as _;
use pointsman::{
    cli::{self, Cli, Command, exit::Failure, exit::UNWRITABLE, exit::USAGE},
    compose,
};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let printed = error.print();
            // `--help` and `--version` are no errors.
            return match printed {
                _ if error.use_stderr() => ExitCode::from(USAGE),
                Ok(()) => ExitCode::SUCCESS,
                Err(why) => ExitCode::from(unprinted(&why.to_string())),
            };
        }
    };
    if let Err(failure) = compose::logging(&cli.common) {
        return failure.print();
    }
    if cli.command.is_some() {
        end_when_output_cannot_be_written();
    }
    match run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.print(),
    }
}

/// What a shell reports of a program that SIGPIPE ended. The signal itself stays ignored: a connection that AWS drops
/// raises it too.
const NOBODY_READS: u8 = 128 + 13;

/// `pointsman status | head` is no mistake of this program, and a disk that is full is none either. A run that is
/// driven stands on record, as after any death.
fn end_when_output_cannot_be_written() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let said = info.payload().downcast_ref::<String>().map_or("", String::as_str);
        if let Some(why) = said.strip_prefix("failed printing to stdout: ") {
            std::process::exit(unprinted(why).into());
        }
        before(info);
    }));
}

/// The exit code; said once, if there is anybody who reads stderr. The cause comes in words, as a panic gives it.
fn unprinted(why: &str) -> u8 {
    if why.contains("Broken pipe") {
        return NOBODY_READS;
    }
    let lines = vec![format!("standard output: {why}"), "what it should have said is lost: write it elsewhere".into()];
    Failure { code: UNWRITABLE, lines }.say();
    UNWRITABLE
}

fn run(cli: &Cli) -> Result<u8, Failure> {
    let common = &cli.common;
    let Some(command) = &cli.command else { return compose::console(common) };
    match command {
        Command::Check(args) => cli::check::run(common, args),
        Command::Keys => cli::keys::run(common).map(|()| 0),
        Command::Schema(args) => {
            cli::schema::run(args);
            Ok(0)
        }
        Command::Themes(args) => cli::themes::run(common, args).map(|()| 0),
        Command::Evidence { command } => cli::evidence::run(common, command),
        Command::Status(args) => compose::block_on(cli::status::run(common, args)),
        Command::Plan(args) => compose::block_on(cli::plan::run(common, args)),
        Command::Run(args) => compose::block_on(cli::run::run(common, args)),
        Command::Resume(args) => compose::block_on(cli::run::resume(common, args)),
        Command::Runs(args) => cli::runs::run(common, args),
        Command::Sim { command } => compose::block_on(async {
            match command {
                cli::sim::SimCommand::Serve(args) => cli::sim::serve(common, args).await,
                cli::sim::SimCommand::Inject(args) => cli::sim::inject(args).await,
                cli::sim::SimCommand::Calls(args) => cli::sim::calls(args).await,
            }
            .map(|()| 0)
        }),
    }
}
