//! Somebody who speaks the protocol as well as anybody, sends what a client would send, and lacks what opens something.

use ensafer_core::account::login::{RefreshMessage, sign_login};
use ensafer_core::api::hex::{HexArray, SecretHex};
use ensafer_core::api::server::{
    ATTEMPT_BYTES, CredentialKind, DeviceDocument, LoginVerifyRequest, PROBLEM_PREFIX, RefreshRequest,
};
use ensafer_core::crypto::{Login, Random, SigningKey, SystemRandom, Token};
use ensafer_core::ids::{AccountId, DeviceId};
use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::evil_server::Exchange;
use crate::naive::parse;

/// The thief: no account, a device key of their own.
pub struct Thief {
    url: String,
    http: Client,
    signer: SigningKey,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON; null where there is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The word of the problem that it is (`docs/protocol.md`, "Problems"); none where the thief was let in.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let problem = self.json();
        let word = problem["type"].as_str().and_then(|kind| kind.strip_prefix(PROBLEM_PREFIX));
        assert_eq!(word.is_none(), (200..300).contains(&self.status), "{self:?}");
        word.map(str::to_owned)
    }
}

impl Thief {
    /// A thief at the server with this origin.
    #[must_use]
    pub fn at(url: &str) -> Self {
        let http = Client::builder().no_proxy().build().unwrap();
        Self { url: url.to_owned(), http, signer: SigningKey::generate(&mut SystemRandom) }
    }

    /// Sends a request.
    #[must_use]
    pub fn send(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let mut request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.json(body).send().unwrap();
        Answer { status: response.status().as_u16(), text: response.text().unwrap() }
    }

    /// Sends a request that was heard once more.
    #[must_use]
    pub fn replay(&self, heard: &Exchange) -> Answer {
        self.send(&heard.method, &heard.path, heard.token.as_deref(), &heard.request)
    }

    /// Begins a login: a ticket is everybody's for the asking.
    #[must_use]
    pub fn ticket(&self, login: &Login) -> HexArray<ATTEMPT_BYTES> {
        let body = json!({ "login": login.as_str() });
        parse(&self.send("POST", "/v1/login/start", None, &body).json()["attempt"])
    }

    /// The second step of a login with a ticket and a device of the thief's own, and this proof.
    #[must_use]
    pub fn verify(&self, login: &Login, kind: CredentialKind, auth: [u8; 32]) -> LoginVerifyRequest {
        let mut request = LoginVerifyRequest {
            login: login.to_string(),
            attempt: self.ticket(login),
            kind,
            auth: SecretHex(auth),
            device: DeviceDocument {
                device: DeviceId::new(SystemRandom.array()),
                name: "a new computer".to_owned(),
                public_key: HexArray(*self.signer.public().as_bytes()),
            },
            signature: HexArray([0; 64]),
        };
        request.signature = HexArray(*sign_login(&request, login, &self.signer).as_bytes());
        request
    }

    /// Asks for new tokens of somebody's device with this refresh token, signed by the thief's own key.
    #[must_use]
    pub fn refresh(
        &self,
        account: AccountId,
        device: DeviceId,
        counter: u64,
        token: &Token,
    ) -> RefreshRequest {
        let message = RefreshMessage { account, device, counter, refresh: token };
        let signature = HexArray(*message.sign(&self.signer).as_bytes());
        RefreshRequest { account, device, counter, refresh: SecretHex(*token.as_bytes()), signature }
    }
}
