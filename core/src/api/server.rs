//! What the key server and its clients say to each other (`docs/protocol.md`): version 1, JSON over HTTPS.
//!
//! All bytes are lower-case hex, all times seconds since 1970. Unknown fields are refused on both sides, so that a
//! field means the same to everybody who accepts it.

use serde::{Deserialize, Serialize};

use super::hex::{HexArray, HexBytes, SecretHex, SecretText};
use crate::crypto::CHALLENGE_BYTES;
use crate::ids::{AccountId, DeviceId, GroupId, InvitationId};

/// Longest name of a person or device, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 128;
/// Largest sealed state of an account, in bytes.
pub const MAX_STATE_BYTES: usize = 1024 * 1024;
/// Most accounts that may change a group beside the one that made it.
pub const MAX_GROUP_ADMINS: usize = 64;
/// Largest body of a request, in bytes: a state or a group in hex, and room for the rest.
pub const MAX_BODY_BYTES: usize = 2 * MAX_STATE_BYTES + 64 * 1024;
/// Size in bytes of the ticket of a login attempt: id 16 ‖ expiry 8 ‖ MAC 32.
pub const ATTEMPT_BYTES: usize = 16 + 8 + 32;

// The derived schemas take literals only.
const _: () = assert!(ATTEMPT_BYTES == 56 && CHALLENGE_BYTES == 384);

/// Declares a document: JSON with exactly these fields.
macro_rules! documents {
    ($($(#[$doc:meta])* struct $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    )*};
}

documents! {
    /// Who a server is and what it asks for.
    struct ServerInfo {
        /// The server's version.
        version: String,
        /// Whether accounts can be made.
        registration: Registration,
        /// Whether a new account's address must be confirmed by a code that is mailed to it.
        confirms_email: bool,
        /// The server's clock.
        time_s: u64,
    }

    /// A public bundle with its signature (`docs/format.md`, "The account file").
    struct BundleDocument {
        /// The signed bytes.
        bundle: HexBytes,
        /// Ed25519 by the identity key in it.
        signature: HexArray<64>,
    }

    /// An account's private keys, sealed under its master key.
    struct SealedKeysDocument {
        /// Counts changes; bound into the seal.
        version: u32,
        /// Cobblestone.
        sealed: HexBytes,
    }

    /// The account's master key, sealed under the password, and what the password's keys are derived with.
    struct PasswordSealDocument {
        /// Counts passwords; bound into the seal.
        version: u32,
        /// The origin that the keys are derived for.
        realm: String,
        /// Part of the salt.
        nonce: HexArray<16>,
        /// Rounds of PBKDF2: 600,000 to 10,000,000.
        iterations: u32,
        /// Cobblestone.
        sealed: HexBytes,
    }

    /// The account's master key, sealed under the recovery key, and that key sealed under the master key.
    struct RecoverySealDocument {
        /// Version of the recovery key in 8 bytes, then 8 random ones; bound into both seals.
        id: HexArray<16>,
        /// The master key, Cobblestone.
        sealed: HexBytes,
        /// The recovery key, Cobblestone.
        copy: HexBytes,
    }

    /// What else an account remembers, sealed under its master key.
    struct StateDocument {
        /// Counts changes, from 1; bound into the seal.
        version: u64,
        /// Cobblestone; at most 1 MiB.
        sealed: HexBytes,
    }

    /// An account as it is served to its owner: everything secret in it is sealed.
    struct AccountDocument {
        /// Its public keys.
        bundle: BundleDocument,
        /// Its private keys.
        keys: SealedKeysDocument,
        /// The way in by password.
        password: PasswordSealDocument,
        /// The way in by recovery key.
        recovery: RecoverySealDocument,
        /// Its state, if it has one yet.
        state: Option<StateDocument>,
    }

    /// Asks whether a login can be registered.
    struct AvailabilityRequest {
        /// Any spelling of it.
        login: String,
    }

    /// Whether a login can be registered.
    struct Availability {
        /// Nobody has it.
        available: bool,
    }

    /// Makes an account.
    struct RegisterRequest {
        /// It; with its state, where it was on another server before.
        account: AccountDocument,
        /// Proof of the password, to be kept as a verifier.
        password_auth: SecretHex<32>,
        /// Proof of the recovery key, to be kept as a verifier.
        recovery_auth: SecretHex<32>,
        /// The authorisation code, where the server asks for one.
        code: Option<String>,
        /// What others read beside the address; at most 128 bytes.
        display_name: Option<String>,
    }

    /// An account was made.
    struct Registered {
        /// Its address has to be confirmed before its first login: a code was mailed to it.
        confirmation_required: bool,
    }

    /// Confirms an account's address.
    struct ConfirmRequest {
        /// The account. A code that came because a stranger registered the same login confirms nothing of theirs.
        account: AccountId,
        /// The account's login.
        login: String,
        /// The code from the mail.
        code: String,
    }

    /// Begins a login.
    struct LoginStartRequest {
        /// Any spelling of it.
        login: String,
    }

    /// What a proof is made with. A login that does not exist gets the same.
    struct LoginStarted {
        /// The ticket of this attempt.
        attempt: HexArray<56>,
        /// Part of the salt.
        nonce: HexArray<16>,
        /// Rounds of PBKDF2; the client refuses what is out of bounds.
        iterations: u32,
        /// When the ticket expires.
        expires_at_s: u64,
    }

    /// The device that logs in.
    struct DeviceDocument {
        /// Its id, random, its own.
        device: DeviceId,
        /// What its owner calls it; at most 128 bytes.
        name: String,
        /// Its Ed25519 key.
        public_key: HexArray<32>,
    }

    /// Shows that the password or the recovery key is known.
    struct LoginVerifyRequest {
        /// As in the first step.
        login: String,
        /// From the first step; it passes once.
        attempt: HexArray<56>,
        /// Which of the two is shown.
        kind: CredentialKind,
        /// The proof.
        auth: SecretHex<32>,
        /// The device.
        device: DeviceDocument,
        /// By the device's key, over all of this (`docs/protocol.md`, "Login").
        signature: HexArray<64>,
    }

    /// The sealed account, and a challenge that only its login key answers.
    struct LoginChallenge {
        /// The account.
        account: AccountDocument,
        /// RSA-OAEP to the login key.
        challenge: HexArray<384>,
        /// When the challenge expires; part of its label.
        expires_at_s: u64,
    }

    /// Answers the challenge.
    struct LoginFinishRequest {
        /// From the first step.
        attempt: HexArray<56>,
        /// HMAC over the transcript.
        proof: SecretHex<32>,
    }

    /// A session's tokens.
    struct Session {
        /// Opens the other doors, as `Authorization: Bearer`.
        access: SecretHex<32>,
        /// For how long.
        access_expires_in_s: u64,
        /// Buys the next pair, once.
        refresh: SecretHex<32>,
        /// For how long.
        refresh_expires_in_s: u64,
        /// Devices that logged in since this one last got such an answer.
        new_devices: Vec<DeviceReport>,
    }

    /// Buys new tokens.
    struct RefreshRequest {
        /// The account.
        account: AccountId,
        /// The device.
        device: DeviceId,
        /// Higher than in any request before.
        counter: u64,
        /// The refresh token.
        refresh: SecretHex<32>,
        /// By the device's key, over all of this.
        signature: HexArray<64>,
    }

    /// Proof of the password or the recovery key, beside a session, for what a stolen session must not do.
    struct Credential {
        /// Which of the two is shown.
        kind: CredentialKind,
        /// The proof.
        auth: SecretHex<32>,
    }

    /// An account with what only the server adds to it.
    struct AccountReport {
        /// The account.
        account: AccountDocument,
        /// What others read beside the address.
        display_name: Option<String>,
        /// When it was made.
        created_at_s: u64,
    }

    /// Changes the profile.
    struct ProfileRequest {
        /// What others read beside the address; at most 128 bytes, none to remove it.
        display_name: Option<String>,
    }

    /// Changes the password.
    struct PasswordRequest {
        /// The old password or the recovery key.
        current: Credential,
        /// The new seal; its version is the old one's and one more.
        password: PasswordSealDocument,
        /// Proof of the new password.
        password_auth: SecretHex<32>,
    }

    /// Changes the recovery key.
    struct RecoveryRequest {
        /// The password or the old recovery key.
        current: Credential,
        /// The new seals.
        recovery: RecoverySealDocument,
        /// Proof of the new recovery key.
        recovery_auth: SecretHex<32>,
    }

    /// Changes keys or address: a new bundle by the same identity.
    struct KeysRequest {
        /// The password or the recovery key.
        current: Credential,
        /// The new bundle; its sequence is the old one's and one more.
        bundle: BundleDocument,
        /// The private keys, bound to the new bundle; their version is the old one's and one more.
        keys: SealedKeysDocument,
        /// The password's seal, derived for the new address; its version is the old one's and one more.
        password: PasswordSealDocument,
        /// Proof of the password, derived for the new address.
        password_auth: SecretHex<32>,
        /// The code that was mailed to the new address, where the server asks for one.
        code: Option<String>,
    }

    /// Asks for a code by mail to an address that the account is to have.
    struct AddressRequest {
        /// The new address.
        login: String,
    }

    /// Deletes the account.
    struct DeleteRequest {
        /// The password or the recovery key.
        current: Credential,
    }

    /// A device that logged in.
    struct DeviceReport {
        /// Its id.
        device: DeviceId,
        /// Its name.
        name: String,
        /// When it first logged in.
        created_at_s: u64,
        /// When it was last here.
        seen_at_s: u64,
        /// Whether it asks.
        is_this: bool,
    }

    /// The account's devices.
    struct Devices {
        /// Them, the oldest first.
        devices: Vec<DeviceReport>,
    }

    /// Somebody's public keys.
    struct UserReport {
        /// The newest bundle.
        bundle: BundleDocument,
        /// What they call themselves; nothing vouches for it.
        display_name: Option<String>,
    }

    /// One of somebody's bundles.
    struct PublishedBundle {
        /// The bundle.
        bundle: BundleDocument,
        /// When the server took it.
        published_at_s: u64,
    }

    /// Somebody's bundles, from where the asker knows them.
    struct KeyHistory {
        /// Them, the oldest first; 100 at most.
        bundles: Vec<PublishedBundle>,
    }

    /// A device as the server keeps it.
    struct ExportedDevice {
        /// Its id.
        device: DeviceId,
        /// Its name.
        name: String,
        /// Its Ed25519 key.
        public_key: HexArray<32>,
        /// When it first logged in.
        created_at_s: u64,
        /// When it was last here.
        seen_at_s: u64,
        /// Up to when it is known to have been told of other devices that logged in.
        told_at_s: u64,
        /// How often it bought new tokens, as it counted.
        counter: u64,
        /// When its session expires, unless it comes back before.
        session_expires_at_s: u64,
        /// When its session was ended; such a device is remembered for 90 days.
        ended_at_s: Option<u64>,
        /// Whether it asks.
        is_this: bool,
    }

    /// Everything that the server keeps about an account, but for verifiers, hashes, and what is gone within days: logins
    /// under way, codes that were mailed, counts of failures.
    struct AccountExport {
        /// When it was made.
        exported_at_s: u64,
        /// The account.
        account: AccountReport,
        /// The devices that are remembered, the oldest first.
        devices: Vec<ExportedDevice>,
        /// The public bundles.
        history: Vec<PublishedBundle>,
        /// The invitations that the account made.
        invitations: Vec<ExportedInvitation>,
        /// The invitations that the account accepted.
        accepted: Vec<AcceptedInvitation>,
        /// The groups that the account made. What is in them, sealed, is read one by one.
        groups: Vec<GroupEntry>,
        /// The groups that others made and whose admins named the account as one of them.
        administered_groups: Vec<GroupId>,
    }

    /// Makes a group, or puts a new version in the place of the one that is there (`docs/protocol.md`, "Groups").
    struct GroupRequest {
        /// One more than that of the version that is there; 1 for a new group.
        version: u64,
        /// The group's file, at most 1 MiB.
        object: HexBytes,
        /// Who may change the group from now on, beside the account that made it; at most 64.
        admins: Vec<AccountId>,
        /// What the group's id was derived with from the account's identity key: in version 1, and there only.
        nonce: Option<HexArray<16>>,
    }

    /// A group, as the server keeps it.
    struct GroupReport {
        /// Counts changes.
        version: u64,
        /// The group's file.
        object: HexBytes,
    }

    /// A group that the account made.
    struct GroupEntry {
        /// Which.
        id: GroupId,
        /// Counts changes.
        version: u64,
        /// When it was made.
        created_at_s: u64,
        /// When its present version was written.
        changed_at_s: u64,
        /// Who may change it beside the account.
        admins: Vec<AccountId>,
    }

    /// The groups that the account made.
    struct Groups {
        /// By id.
        groups: Vec<GroupEntry>,
    }

    /// Has the link of an invitation mailed.
    struct InvitationMail {
        /// The guest's address.
        to: String,
        /// The link: this server's own address (its `public_url`), `/invite/`, the invitation's id, `#` and the link's secret.
        link: SecretText,
    }

    /// Makes an invitation (`docs/protocol.md`, "Invitations").
    struct InvitationRequest {
        /// Its id, random.
        id: InvitationId,
        /// What the guest reads, sealed: Cobblestone, at most 16 KiB.
        record: HexBytes,
        /// SHA-256, under a label, of what the guest will show.
        claim_hash: HexArray<32>,
        /// When it ends: at most 7 days from now, and an hour for clocks that differ.
        expires_at_s: u64,
        /// Has its link mailed; none where the inviter sends it.
        mail: Option<InvitationMail>,
    }

    /// An invitation, as whoever has its link sees it.
    struct InvitationRecordReport {
        /// What the guest reads, sealed.
        record: HexBytes,
        /// When it ends.
        expires_at_s: u64,
        /// Whether somebody accepted it.
        accepted: bool,
    }

    /// Accepts an invitation.
    struct AcceptanceRequest {
        /// Shows that the guest has both secrets.
        claim: SecretHex<32>,
        /// The guest's own bundle, the newest.
        bundle: BundleDocument,
        /// Shows the same to the inviter, for that bundle.
        proof: HexArray<32>,
    }

    /// How an invitation was accepted.
    struct AcceptanceReport {
        /// Who did, by login.
        login: String,
        /// With which keys.
        bundle: BundleDocument,
        /// The guest's proof, for the inviter to check.
        proof: HexArray<32>,
        /// When.
        accepted_at_s: u64,
    }

    /// An invitation, as the inviter sees it.
    struct InvitationReport {
        /// Its id.
        id: InvitationId,
        /// When it was made.
        created_at_s: u64,
        /// When it ends.
        expires_at_s: u64,
        /// How it was accepted, if it was.
        acceptance: Option<AcceptanceReport>,
    }

    /// The account's open invitations.
    struct Invitations {
        /// Them, the oldest first.
        invitations: Vec<InvitationReport>,
    }

    /// An invitation as the server keeps it.
    struct ExportedInvitation {
        /// What its inviter sees.
        invitation: InvitationReport,
        /// What the guest reads, sealed.
        record: HexBytes,
    }

    /// An invitation that the account accepted.
    struct AcceptedInvitation {
        /// Its id.
        id: InvitationId,
        /// Who invited, by login.
        inviter: String,
        /// When it was accepted.
        accepted_at_s: u64,
        /// When it ends.
        expires_at_s: u64,
    }

    /// An error (RFC 9457).
    struct Problem {
        /// What kind: `urn:ensafer:problem:` and the kind's word.
        r#type: String,
        /// The kind in a few words, always the same.
        title: String,
        /// The HTTP status.
        status: u16,
        /// What was wrong this time, where more can be said.
        detail: Option<String>,
        /// After how long the same may pass, where it is only too early.
        retry_after_s: Option<u64>,
        /// The version that is there, where another was expected.
        current_version: Option<u64>,
    }
}

/// Whether accounts can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Registration {
    /// By anybody.
    Open,
    /// By whoever has an authorisation code.
    Code,
    /// By nobody.
    Closed,
}

/// Which of the account's secrets is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CredentialKind {
    /// The password.
    Password,
    /// The recovery key.
    Recovery,
}

/// Before the kind's word in a problem's type.
pub const PROBLEM_PREFIX: &str = "urn:ensafer:problem:";

/// Declares the kinds of problems: word, status, title.
macro_rules! problem_kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal, $status:literal, $title:literal;)*) => {
        /// What went wrong. The words and statuses are part of the protocol and never change their meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemKind { $($(#[$doc])* $kind,)* }

        impl ProblemKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The kind's word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$kind => $word,)* }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$kind => $status,)* }
            }

            /// The title.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)* }
            }
        }
    };
}

problem_kinds! {
    /// Wrong password, wrong recovery key or unknown login: it does not say which.
    WrongCredentials = "wrong-credentials", 401, "The login, the password or the recovery key is wrong";
    /// The attempt or challenge is expired, used, altered or made up, or its answer is wrong.
    ChallengeRefused = "challenge-refused", 401, "The login's challenge is expired, used or not this server's";
    /// There is no session, or its token is expired or unknown.
    SessionRefused = "session-refused", 401, "A valid session is needed";
    /// The device's session was ended from elsewhere.
    DeviceRevoked = "device-revoked", 401, "This device was removed from the account";
    /// The account's address is not confirmed yet.
    EmailUnconfirmed = "email-unconfirmed", 403, "The e-mail address is not confirmed yet";
    /// The confirmation's code is wrong, expired or used.
    ConfirmationRefused = "confirmation-refused", 403, "The confirmation code is wrong or expired";
    /// The server's administrator disabled the account.
    AccountDisabled = "account-disabled", 403, "The account is disabled";
    /// Nobody can register.
    RegistrationClosed = "registration-closed", 403, "This server takes no new accounts";
    /// Registering needs an authorisation code, and this one is none.
    RegistrationCodeRefused = "registration-code-refused", 403, "A valid authorisation code is needed";
    /// Somebody has that login.
    LoginTaken = "login-taken", 409, "The login is taken";
    /// It is no e-mail address or name.
    LoginMalformed = "login-malformed", 422, "The login is malformed";
    /// Bundle or seals are not what they must be.
    BlobRefused = "blob-refused", 422, "The keys or seals are malformed or belong together with others";
    /// Rounds of PBKDF2 out of bounds.
    IterationsRefused = "iterations-refused", 422, "The rounds of password derivation are out of bounds";
    /// A name or another value is too long.
    ValueRefused = "value-refused", 422, "A value is out of bounds";
    /// Somebody else changed it first.
    VersionConflict = "version-conflict", 409, "It was changed by another device";
    /// Nobody has that login.
    UserUnknown = "user-unknown", 404, "Nobody has that login";
    /// The account has no such device.
    DeviceUnknown = "device-unknown", 404, "The account has no such device";
    /// The invitation's id, or what was shown for it, is wrong; or it has ended.
    InvitationUnknown = "invitation-unknown", 404, "There is no such invitation";
    /// Somebody else accepted it.
    InvitationAccepted = "invitation-accepted", 409, "The invitation was accepted already";
    /// The account has too many open ones.
    InvitationsFull = "invitations-full", 409, "Too many invitations are open";
    /// There is none of that id that the account may have or change.
    GroupUnknown = "group-unknown", 404, "There is no such group";
    /// The account has made too many.
    GroupsFull = "groups-full", 409, "The account has too many groups";
    /// The server mails no links.
    MailOff = "mail-off", 409, "This server mails no invitations";
    /// Too many failed attempts.
    TooManyFailures = "too-many-failures", 429, "Too many attempts failed";
    /// Too many requests.
    TooManyRequests = "too-many-requests", 429, "Too many requests";
    /// The body is no JSON of the expected form.
    BodyMalformed = "body-malformed", 400, "The request's body is malformed";
    /// The path or the query is not of the expected form.
    RequestMalformed = "request-malformed", 400, "The request is malformed";
    /// The body is too long.
    BodyTooLarge = "body-too-large", 413, "The request's body is too large";
    /// The body is not declared as JSON.
    ContentTypeRefused = "content-type-refused", 415, "The request's body must be application/json";
    /// There is no such resource.
    NotFound = "not-found", 404, "There is nothing here";
    /// The resource does not take that method.
    MethodRefused = "method-refused", 405, "The resource does not take that method";
    /// The request took too long to arrive.
    RequestTimeout = "request-timeout", 408, "The request took too long";
    /// The mail could not be sent.
    MailFailed = "mail-failed", 503, "The mail could not be sent";
    /// The server cannot do it now.
    Unavailable = "unavailable", 503, "The server cannot do it now";
    /// The server failed.
    Internal = "internal", 500, "The server failed";
}

impl ProblemKind {
    /// The problem of this kind.
    #[must_use]
    pub fn problem(self) -> Problem {
        Problem {
            r#type: format!("{PROBLEM_PREFIX}{}", self.word()),
            title: self.title().to_owned(),
            status: self.status(),
            detail: None,
            retry_after_s: None,
            current_version: None,
        }
    }
}

impl RecoverySealDocument {
    /// The version that its id begins with.
    #[must_use]
    pub fn version(&self) -> u64 {
        recovery_version(&self.id.0)
    }
}

/// The version that a recovery seal's id begins with (`docs/format.md`, "The account file"): how often the recovery key
/// was changed.
pub(crate) fn recovery_version(id: &[u8; 16]) -> u64 {
    u64::from_be_bytes(*id.first_chunk().expect("16 bytes have eight first ones"))
}

impl Problem {
    /// Its kind, if this version knows it.
    #[must_use]
    pub fn kind(&self) -> Option<ProblemKind> {
        let word = self.r#type.strip_prefix(PROBLEM_PREFIX)?;
        ProblemKind::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn problems_have_a_word_each_and_are_read_back() {
        let words: HashSet<_> = ProblemKind::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(words.len(), ProblemKind::ALL.len());
        for kind in ProblemKind::ALL {
            let json = serde_json::to_string(&kind.problem()).unwrap();
            let problem: Problem = serde_json::from_str(&json).unwrap();
            assert_eq!(problem.kind(), Some(*kind));
            assert_eq!(problem.status, kind.status());
        }
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(serde_json::from_str::<LoginStartRequest>(r#"{"login":"a"}"#).is_ok());
        assert!(serde_json::from_str::<LoginStartRequest>(r#"{"login":"a","x":1}"#).is_err());
    }

    #[test]
    fn proofs_and_tokens_are_not_printed() {
        let request = LoginFinishRequest { attempt: HexArray([1; 56]), proof: SecretHex([0xcd; 32]) };
        assert!(!format!("{request:?}").contains("cdcd"));
    }
}
