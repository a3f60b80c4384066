//! A client that does of the protocol what costs the server something.

use anyhow::Context;
use ensafer_core::account::login::{Transcript, sign_login};
use ensafer_core::account::{Account, SealedAccount};
use ensafer_core::api::hex::{HexArray, SecretHex};
use ensafer_core::api::server::{
    CredentialKind, DeviceDocument, LoginChallenge, LoginFinishRequest, LoginStartRequest, LoginStarted,
    LoginVerifyRequest, RegisterRequest, Registered, Session,
};
use ensafer_core::crypto::{
    ChallengeBinding, Login, MIN_ITERATIONS, PasswordParameters, Random, SigningKey, Token,
};
use ensafer_core::ids::{AccountId, DeviceId};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The password of every account here.
const PASSWORD: &str = "correct horse battery staple";

/// Talks to one server.
pub struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    pub fn new(url: &str) -> anyhow::Result<Self> {
        // No proxy: the server is on this machine.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(1024).build()?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned() })
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        let response = request.send().await.with_context(|| format!("POST {path}"))?;
        let status = response.status();
        let text = response.text().await?;
        anyhow::ensure!(status.is_success(), "POST {path}: {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }
}

/// A login and the id of its account.
#[derive(Clone)]
pub struct Identity {
    pub login: Login,
    pub account: AccountId,
}

/// An account that was registered by the protocol. All others are copies of it under other logins and ids, and share
/// its keys and its proof, so that nobody waits for 100,000 key pairs and passwords.
pub struct Template {
    account: Account,
    auth: [u8; 32],
    realm: String,
    device_key: SigningKey,
}

impl Template {
    /// Makes an account and registers it.
    pub async fn register(client: &Client, rng: &mut impl Random) -> anyhow::Result<Self> {
        let tag: [u8; 8] = rng.array();
        let login: Login = format!("load-{}@example.com", hex::encode(tag)).parse()?;
        let realm = client.url.clone();
        let parameters = PasswordParameters::generate(login, realm.clone(), MIN_ITERATIONS, rng);
        let keys = parameters.derive(PASSWORD)?;
        let auth = *keys.auth.expose();
        let (sealed, account, _) = SealedAccount::create(parameters, &keys.kek, rng);
        let request = RegisterRequest {
            account: sealed.to_document(),
            password_auth: SecretHex(auth),
            // Nobody recovers it.
            recovery_auth: SecretHex(rng.array()),
            code: None,
            display_name: None,
        };
        let registered: Registered = client.post("/v1/register", &request).await?;
        anyhow::ensure!(!registered.confirmation_required, "the server wants the address confirmed");
        Ok(Self { account, auth, realm, device_key: SigningKey::generate(rng) })
    }

    /// The account that was registered.
    pub fn own_identity(&self) -> Identity {
        Identity { login: self.account.login().clone(), account: self.account.id() }
    }

    /// What is shown as proof of the password.
    pub fn auth(&self) -> &[u8; 32] {
        &self.auth
    }

    /// A whole login: three requests, the device's signature, and the challenge opened with RSA. What a real client
    /// does beside it costs a server nothing: deriving from the password, opening the sealed account.
    pub async fn login(&self, client: &Client, who: &Identity) -> anyhow::Result<Token> {
        let login = &who.login;
        let begin = LoginStartRequest { login: login.to_string() };
        let started: LoginStarted = client.post("/v1/login/start", &begin).await?;
        let device = DeviceDocument {
            // One device for each account.
            device: DeviceId::new(*who.account.as_bytes()),
            name: "load".to_owned(),
            public_key: HexArray(*self.device_key.public().as_bytes()),
        };
        let mut verify = LoginVerifyRequest {
            login: login.to_string(),
            attempt: started.attempt,
            kind: CredentialKind::Password,
            auth: SecretHex(self.auth),
            device,
            signature: HexArray([0; 64]),
        };
        verify.signature = HexArray(*sign_login(&verify, login, &self.device_key).as_bytes());
        let challenge: LoginChallenge = client.post("/v1/login/verify", &verify).await?;
        let proof = self.answer(who, &started, &verify, &challenge)?;
        let finish = LoginFinishRequest { attempt: started.attempt, proof: SecretHex(proof) };
        let session: Session = client.post("/v1/login/finish", &finish).await?;
        Ok(hex::encode(session.access.0).parse()?)
    }

    fn answer(
        &self,
        who: &Identity,
        started: &LoginStarted,
        verify: &LoginVerifyRequest,
        challenge: &LoginChallenge,
    ) -> anyhow::Result<[u8; 32]> {
        let expires_at_s = challenge.expires_at_s;
        let binding = ChallengeBinding { realm: &self.realm, account: who.account, expires_at_s };
        let key = self.account.login_key().open_challenge(&binding, &challenge.challenge.0)?;
        let transcript = Transcript {
            realm: &self.realm,
            login: &who.login,
            attempt: &started.attempt,
            nonce: &started.nonce,
            iterations: started.iterations,
            kind: verify.kind,
            account: &challenge.account,
            challenge: &challenge.challenge.0,
            expires_at_s,
            device: &verify.device,
        };
        Ok(key.prove(&transcript.hash()))
    }
}
