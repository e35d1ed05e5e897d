//! Arguments that several commands have.

use std::{
    ffi::OsStr,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
};

use clap::{
    Arg, Args, Command, Error,
    builder::{OsStringValueParser, PossibleValue, TypedValueParser},
};

use crate::config::{self, Config, ConfigError};

#[derive(Args, Debug)]
pub(super) struct ConfigArgs {
    /// The configuration file
    #[arg(
        long = "config.file",
        value_name = "FILE",
        env = "CSS_VPCEP_EXPORTER_CONFIG_FILE",
        default_value = "css-vpcep-exporter.yml"
    )]
    pub(super) config_file: PathBuf,
}

impl ConfigArgs {
    pub(super) fn load(&self, web: Option<&Path>) -> Result<Config, ConfigError> {
        config::load(&self.config_file, web, Some(&config::process_environment))
    }
}

#[derive(Args, Debug)]
pub(super) struct WebArgs {
    /// TLS, users and headers of the public listener, in the format of other exporters
    #[arg(long = "web.config.file", value_name = "FILE", env = "CSS_VPCEP_EXPORTER_WEB_CONFIG_FILE", value_parser = OsStringValueParser::new().map(PathBuf::from))]
    web_config_file: Option<PathBuf>,
}

impl WebArgs {
    /// An empty name counts as unset: other exporters have it as the default.
    pub(super) fn file(self) -> Option<PathBuf> {
        self.web_config_file.filter(|file| !file.as_os_str().is_empty())
    }
}

/// Addresses to try in turn.
#[derive(Clone, Debug)]
pub(super) struct ListenAddress(pub(super) Vec<SocketAddr>);

/// As in other exporters, `:10067` means all addresses of the machine.
pub(super) fn parse_listen_address(text: &str) -> Result<ListenAddress, String> {
    if let Some(port) = text.strip_prefix(':') {
        let port = port.parse::<u16>().map_err(|error| format!("port {port:?}: {error}"))?;
        let every = [(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()];
        return Ok(ListenAddress(every.to_vec()));
    }
    let addresses = text.to_socket_addrs();
    let addresses = addresses.map_err(|error| format!("{error}; expected HOST:PORT or :PORT"))?;
    Ok(ListenAddress(addresses.collect()))
}

/// Takes the values of `parser`, and offers `words` for completion: for an argument whose help names its
/// values elsewhere, or that takes others too.
#[derive(Clone)]
pub(super) struct Offering<P> {
    pub(super) parser: P,
    pub(super) words: fn() -> Vec<&'static str>,
}

impl<P: TypedValueParser> TypedValueParser for Offering<P> {
    type Value = P::Value;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, Error> {
        self.parser.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.words)().into_iter().map(PossibleValue::new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses_are_those_of_other_exporters() {
        let parsed = |text| parse_listen_address(text).map(|ListenAddress(all)| all);
        let every = parsed(":10067").unwrap();
        assert_eq!(every.iter().map(|address| address.port()).collect::<Vec<_>>(), [10067, 10067]);
        assert!(every.iter().all(|address| address.ip().is_unspecified()));
        assert_eq!(parsed("127.0.0.1:0").unwrap(), ["127.0.0.1:0".parse().unwrap()]);
        assert_eq!(parsed("[::1]:80").unwrap(), ["[::1]:80".parse().unwrap()]);
        for text in ["", "10067", ":", ":x", ":70000", "127.0.0.1", "127.0.0.1:"] {
            assert!(parsed(text).is_err(), "{text:?}");
        }
    }
}
