//! Documents about the people of a folder: members, and guests of invitations.

use serde::{Deserialize, Serialize};

use crate::api::hex::{HexArray, SecretText};
use crate::api::server::BundleDocument;
use crate::format::roster::Role;
use crate::ids::{FolderId, GroupId, InvitationId};

/// A member of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberReport {
    /// The account's name, as its own keys say.
    pub login: String,
    /// What the member may do.
    pub role: Role,
    /// The fingerprint of the identity key.
    pub fingerprint: String,
    /// The identity key.
    pub identity: HexArray<32>,
    /// Which of the account's bundles the folder has.
    pub sequence: u64,
    /// What this account knows of them under that name.
    pub standing: Standing,
}

/// Somebody who reads a folder by an invitation, and is no member yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestReport {
    /// How far the invitation is.
    pub standing: GuestStanding,
    /// More of an invitation that this account has made. Of another's nobody but its maker knows more.
    #[serde(flatten)]
    pub invitation: Option<InvitedReport>,
}

/// An invitation that this account has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitedReport {
    /// Its id.
    pub id: InvitationId,
    /// Whom it is for.
    pub invited: String,
    /// What they will be.
    pub role: Role,
    /// When it ends.
    pub expires: String,
    /// Who has accepted it, to become a member when a computer of the inviter's that has the folder sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_by: Option<AcceptedBy>,
}

/// Who has accepted an invitation, as the key server says, with a proof that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedBy {
    /// The account's name.
    pub login: String,
    /// What they call themselves; nothing vouches for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the invitation was made for this address.
    pub is_invited_address: bool,
}

/// How far an invitation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestStanding {
    /// Nobody has accepted it yet.
    Invited,
    /// Somebody has accepted it, and reads.
    Accepted,
    /// The folder has no key for its guest: another admin has started a new one.
    ShutOut,
    /// Somebody else has made it.
    OfAnother,
}

/// What an account knows of somebody's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// They are its own.
    #[serde(rename = "self")]
    Own,
    /// The safety numbers were compared.
    Verified,
    /// They were seen before, and are the same.
    Pinned,
    /// They were never seen under this name outside of this folder.
    Unknown,
    /// Under this name other keys were seen before.
    Changed,
}

/// Body of `POST /v1/members`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembersRequest {
    /// The folder.
    pub folder: FolderId,
    /// What to change.
    pub change: MembersChange,
}

/// A change of a folder's members.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum MembersChange {
    /// Adds somebody, or gives a member new keys.
    Add {
        /// Their keys.
        bundle: BundleDocument,
        /// What they may do.
        role: Role,
    },
    /// Changes what a member may do.
    SetRole {
        /// The member's identity key.
        member: HexArray<32>,
        /// From now on.
        role: Role,
    },
    /// Removes a member, and whoever is invited under the same address.
    Remove {
        /// The member's identity key.
        member: HexArray<32>,
    },
    /// Removes this account.
    Leave,
    /// Shares the folder with a group that this account is in, or changes what its members may do.
    ShareWith {
        /// The group.
        group: GroupId,
        /// Reader or writer.
        role: Role,
    },
    /// Takes the folder away from a group.
    Unshare {
        /// The group.
        group: GroupId,
    },
    /// Takes in what is new about the folder's groups.
    LearnGroups,
    /// Lets the guests of invitations read that this account made.
    Invite {
        /// The invitations, which the account remembers.
        invitations: Vec<InvitationId>,
    },
    /// Takes that back.
    Uninvite {
        /// The invitations.
        invitations: Vec<InvitationId>,
    },
}

/// Answer to `GET /v1/people`: who reads a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeopleReport {
    /// The members, the owner first, then by name.
    pub members: Vec<MemberReport>,
    /// Those who read by an invitation: this account's own, then one entry for each of another's.
    pub guests: Vec<GuestReport>,
    /// The groups that it is shared with.
    pub groups: Vec<GroupReport>,
    /// What this account may do; absent where it is no member by itself or by a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Whether this account may add, change and remove people.
    pub may_administer: bool,
    /// Whether two admins have removed each other: nothing is synced until the owner decides.
    pub is_disputed: bool,
}

/// A group that a folder is shared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupReport {
    /// The group.
    pub group: GroupId,
    /// What this account calls it.
    pub name: String,
    /// What its members may do in the folder.
    pub role: Role,
    /// Its members.
    pub members: Vec<MemberReport>,
}

/// Body of `POST /v1/people/find`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindPersonRequest {
    /// The other's e-mail address.
    pub email: String,
    /// Look at new keys of somebody whose keys have changed, without taking them.
    #[serde(default)]
    pub changed: bool,
}

/// Somebody's keys, as the server serves them and this account knows them. Answer to `POST /v1/people/find` and
/// `POST /v1/people/verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonReport {
    /// The address.
    pub login: String,
    /// What they call themselves; nothing vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Fingerprint of the identity key.
    pub fingerprint: String,
    /// What both sides compare: twelve groups of five digits.
    pub safety_number: String,
    /// The digits as a QR code.
    pub qr: QrReport,
    /// Whether safety numbers were compared.
    pub verified: bool,
    /// Whether this was the first time that these keys were seen; they are remembered from now on.
    pub first_seen: bool,
    /// Whether they are other keys than those that were seen before, which are not used.
    pub has_changed: bool,
}

/// A QR code to be drawn dark on light.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QrReport {
    /// Width and height in modules, with the quiet zone of four modules around it: an SVG's `viewBox` is `0 0 size size`.
    pub size: u64,
    /// The dark modules, as the `d` of an SVG's `path`.
    pub path: String,
}

/// Body of `POST /v1/people/verify`: remembers that safety numbers were compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyPersonRequest {
    /// The other's e-mail address.
    pub email: String,
    /// The number that was compared, with or without spaces: that of the very keys that are marked.
    pub safety_number: String,
    /// Take new keys in the place of those that were seen before.
    #[serde(default)]
    pub changed: bool,
}

/// Body of `POST /v1/people/add`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddPersonRequest {
    /// The folder.
    pub folder: FolderId,
    /// The e-mail address of somebody who has an account.
    pub email: String,
    /// Reader, writer or admin.
    pub role: Role,
}

/// Answer to `POST /v1/people/add`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedPerson {
    /// Who.
    pub person: PersonReport,
    /// Whether they were a member already, in this role and with these keys.
    pub was_member: bool,
    /// Whether an invitation of theirs was ended, because it is not needed any more.
    pub ended_invitation: bool,
}

/// Body of `POST /v1/people/role`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonRoleRequest {
    /// The folder.
    pub folder: FolderId,
    /// The member's identity key.
    pub member: HexArray<32>,
    /// Reader, writer or admin.
    pub role: Role,
}

/// Body of `POST /v1/people/remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemovePersonRequest {
    /// The folder.
    pub folder: FolderId,
    /// The member's identity key.
    pub member: HexArray<32>,
}

/// Answer to `POST /v1/people/role`, `POST /v1/people/remove` and `POST /v1/people/leave`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedPerson {
    /// The names of groups by which the person is in the folder all the same.
    pub still_by_groups: Vec<String>,
}

/// An invitation as it is listed. A line of the answer to `GET /v1/invitations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedInvitation {
    /// How far it is.
    #[serde(flatten)]
    pub guest: GuestReport,
    /// The folder.
    pub folder: FolderId,
    /// The work folder, where the folder is on this computer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<String>,
    /// Whether the guest has accepted, and a computer with the folder is to make a member of them.
    pub accepted: bool,
}

/// Body of `POST /v1/invitations/add`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// The folder.
    pub folder: FolderId,
    /// The guest's e-mail address.
    pub email: String,
    /// Reader, writer or admin.
    pub role: Role,
    /// Have the server mail the link.
    #[serde(default)]
    pub mail: bool,
}

/// Body of `POST /v1/invitations/resend`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResendRequest {
    /// The invitation.
    pub invitation: InvitationId,
    /// Have the server mail the link.
    #[serde(default)]
    pub mail: bool,
}

/// Body of `POST /v1/invitations/revoke`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationRequest {
    /// The invitation.
    pub invitation: InvitationId,
}

/// Body of `POST /v1/invitations/look` and `POST /v1/invitations/accept`: what somebody was sent and told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptRequest {
    /// The link.
    pub link: SecretText,
    /// The one-time password.
    pub password: SecretText,
}

/// An invitation that somebody else made. Answer to `POST /v1/invitations/look` and `POST /v1/invitations/accept`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedInvitation {
    /// The key server that has it.
    pub server: String,
    /// The folder.
    pub folder: FolderId,
    /// What it says; absent where the server has forgotten it, which this computer has accepted before.
    #[serde(flatten)]
    pub words: Option<InvitationWords>,
    /// Whoever invites, to compare safety numbers with: once it is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inviter: Option<PersonReport>,
}

/// What an invitation says. Whoever invites has chosen all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationWords {
    /// Who invites.
    pub from: String,
    /// What they call the folder.
    pub name: String,
    /// What the guest will be.
    pub role: Role,
    /// The address that it was made for.
    pub invited: String,
    /// When it ends.
    pub expires: String,
}

/// An invitation as it is sent: link and password open it together, and show nowhere else. Answer to
/// `POST /v1/invitations/add` and `POST /v1/invitations/resend`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SentInvitation {
    /// Its id.
    pub id: InvitationId,
    /// Whom it is for.
    pub invited: String,
    /// What they will be.
    pub role: Role,
    /// When it ends.
    pub expires: String,
    /// The link, to be sent by whoever invites; absent where the server has mailed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<SecretText>,
    /// The one-time password, to be told by another way than the link.
    pub password: SecretText,
    /// Why the link was not mailed, where that was wished for and failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmailed: Option<String>,
}
