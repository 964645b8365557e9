//! `pointsman sim serve|inject|calls`: the simulator as a server, and its control from the shell.

use std::{net::SocketAddr, sync::Arc};

use clap::{Args, Subcommand};

use super::{
    Common,
    exit::{Failure, USAGE},
};
use crate::{compose, domain::SafeText, sim};

#[derive(Debug, Subcommand)]
pub enum SimCommand {
    /// Serve both Regions and the global services on one port, over plain HTTP
    Serve(ServeArgs),
    /// Make something go wrong, e.g. '{"fault":"region-down","region":"ap-south-1","how":"blackhole"}'
    Inject(InjectArgs),
    /// Every AWS call the simulator received, as JSON
    Calls(AtArgs),
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4566")]
    pub listen: SocketAddr,
    /// Allow an address other than loopback: the simulator answers anybody who can reach it
    #[arg(long)]
    pub allow_remote: bool,
}

#[derive(Debug, Args)]
pub struct AtArgs {
    /// Where the simulator listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4566")]
    pub at: String,
}

#[derive(Debug, Args)]
pub struct InjectArgs {
    #[arg(required = true, num_args = 1..=2, help = faults())]
    pub fault: Vec<String>,
    #[command(flatten)]
    pub at: AtArgs,
}

fn faults() -> String {
    let words: Vec<&str> = sim::fault::CATALOGUE.iter().map(|fault| fault.word).collect();
    format!(
        "The fault as JSON, `clear`, or `clear ID`. Its word is one of {}, e.g. \
         '{{\"fault\":\"late-effect\",\"operation\":\"PromoteReadReplica\",\"count\":1,\"after_seconds\":90,\"answer\":\"lost\"}}' or \
         '{{\"fault\":\"stale-reads\",\"service\":\"rds\",\"seconds\":30}}'",
        words.join(", ")
    )
}

/// Runs until interrupted.
pub async fn serve(common: &Common, args: &ServeArgs) -> Result<(), Failure> {
    if !args.listen.ip().is_loopback() && !args.allow_remote {
        return Err(Failure::usage([
            format!("sim serve --listen {}: not a loopback address", args.listen),
            "the simulator has no authentication; add --allow-remote if that is meant".to_owned(),
        ]));
    }
    let files = compose::load_estate(common)?;
    let clock = Arc::new(crate::clock::SystemClock::default());
    let simulator = compose::simulator(common, &files, &clock)?;
    let listener = tokio::net::TcpListener::bind(args.listen).await.map_err(|error| Failure {
        code: 1,
        lines: vec![
            format!("sim serve: cannot listen on {}: {error}", args.listen),
            "choose another port with --listen".to_owned(),
        ],
    })?;
    let address = listener.local_addr().map_err(|error| Failure { code: 1, lines: vec![error.to_string()] })?;
    println!("listening on http://{address}");
    println!("{} | SIMULATED | speed {} | seed {}", files.estate.name, files.speed(common), common.seed);
    if let Some(scenario) = &files.scenario {
        println!("scenario {}: {}, {} injects", scenario.id, scenario.title, scenario.injects.len());
    }
    println!("point a client at it: AWS_ENDPOINT_URL=http://{address} AWS_ACCESS_KEY_ID=sim AWS_SECRET_ACCESS_KEY=sim");
    sim::server::serve(simulator, listener, compose::interrupted())
        .await
        .map_err(|error| Failure { code: 1, lines: vec![format!("sim serve: {error}")] })
}

/// Injects or clears one fault.
pub async fn inject(args: &InjectArgs) -> Result<(), Failure> {
    let (path, body) = match args.fault.as_slice() {
        [word] if word == "clear" => ("/_sim/clear", r#"{"all":true}"#.to_owned()),
        [word, id] if word == "clear" => match id.parse::<u64>() {
            Ok(id) => ("/_sim/clear", format!(r#"{{"id":{id}}}"#)),
            Err(_) => return Err(Failure::usage([format!("sim inject clear {id}: the id of a fault is a number")])),
        },
        [json] => ("/_sim/inject", json.clone()),
        _ => return Err(Failure::usage(["sim inject: one fault as JSON, `clear`, or `clear ID`"])),
    };
    print(sim::client::ask(&args.at.at, path, Some(body)).await)
}

/// Prints the log of received calls.
pub async fn calls(args: &AtArgs) -> Result<(), Failure> {
    print(sim::client::ask(&args.at, "/_sim/calls", None).await)
}

fn print(answer: Result<(u16, String), String>) -> Result<(), Failure> {
    match answer {
        Ok((status, text)) if (200..300).contains(&status) => {
            for line in text.lines() {
                // JSON may be long: each line is made safe, none is cut.
                println!("{}", line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>());
            }
            Ok(())
        }
        Ok((status, text)) => Err(Failure {
            code: USAGE,
            lines: vec![format!("the simulator answered {status}: {}", SafeText::new(text))],
        }),
        Err(why) => Err(Failure { code: 1, lines: vec![why] }),
    }
}
