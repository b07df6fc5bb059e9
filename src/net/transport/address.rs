//! The multiaddrs this transport understands, as the URLs that a host dials and the places where
//! it listens.
//!
//! `/ip4|ip6|dns|dns4|dns6/<host>/tcp/<port>/ws|wss|tls/ws[/p2p/<peer id>]`, as in the libp2p
//! WebSocket specification. The host part of a name is held to letters, digits, dots, hyphens and
//! underscores: it comes from peers and becomes part of a URL.

use std::net::{IpAddr, SocketAddr};

use libp2p::multiaddr::{Multiaddr, Protocol};

/// Where a multiaddr leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Host as it stands in a URL, IPv6 without brackets.
    pub(crate) host: String,
    /// Whether the host is an IPv6 address.
    v6: bool,
    /// TCP port.
    pub(crate) port: u16,
    /// Whether TLS is spoken.
    pub(crate) secure: bool,
    path: String,
}

impl Place {
    /// Reads a multiaddr; `None` when it is not one of this transport's.
    pub(crate) fn parse(address: &Multiaddr) -> Option<Self> {
        let mut parts = address.iter();
        let (host, v6) = match parts.next()? {
            Protocol::Ip4(ip) => (ip.to_string(), false),
            Protocol::Ip6(ip) => (ip.to_string(), true),
            Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => {
                (name_of(&name)?, false)
            }
            _ => return None,
        };
        let Protocol::Tcp(port) = parts.next()? else { return None };
        let (secure, path) = match parts.next()? {
            Protocol::Ws(path) => (false, path),
            Protocol::Wss(path) => (true, path),
            Protocol::Tls => match parts.next()? {
                Protocol::Ws(path) => (true, path),
                _ => return None,
            },
            _ => return None,
        };
        let path = path_of(&path)?;
        match (parts.next(), parts.next()) {
            (None | Some(Protocol::P2p(_)), None) => Some(Self { host, v6, port, secure, path }),
            _ => None,
        }
    }

    /// The URL to dial.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        let Self { host, port, path, .. } = self;
        if self.v6 {
            format!("{scheme}://[{host}]:{port}{path}")
        } else {
            format!("{scheme}://{host}:{port}{path}")
        }
    }
}

/// The multiaddr of a place where the host listens. The place is an IP address or a name.
pub(crate) fn listening(host: &str, port: u16) -> Option<Multiaddr> {
    let host = match host.parse::<IpAddr>() {
        Ok(ip) => Protocol::from(ip),
        Err(_) => Protocol::Dns(name_of(host)?.into()),
    };
    Some(of_host(host, port))
}

/// The multiaddr of a remote end as the host describes it (`192.0.2.7:40123`, `[2001:db8::7]:1`).
/// A host that cannot say gets the unspecified address.
pub(crate) fn remote(text: &str) -> Multiaddr {
    match text.parse::<SocketAddr>() {
        Ok(address) => of_host(Protocol::from(address.ip()), address.port()),
        Err(_) => of_host(Protocol::Ip4(std::net::Ipv4Addr::UNSPECIFIED), 0),
    }
}

fn of_host(host: Protocol<'_>, port: u16) -> Multiaddr {
    Multiaddr::empty().with(host).with(Protocol::Tcp(port)).with(Protocol::Ws("/".into()))
}

fn name_of(name: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    // 253 is the longest name of the domain name system (RFC 1035, section 2.3.4).
    let fits = (1..=253).contains(&name.len());
    (fits && name.bytes().all(allowed)).then(|| name.to_owned())
}

fn path_of(path: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/.-_~".contains(&byte);
    (path.starts_with('/') && path.len() <= 256 && path.bytes().all(allowed))
        .then(|| path.to_owned())
}
