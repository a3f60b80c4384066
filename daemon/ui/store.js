// What the page knows, in one object. Whoever changes it says so by `update`, and the page is drawn anew, once.

export const state = {
  // connecting; open; lost: no daemon answers; shut: this page is not let in, or not any more; ended: in a browser, with its daemon;
  // elsewhere: another page has taken over
  link: "connecting",
  status: null,
  // How fast the work of folders goes (rate.js), by folder.
  rates: {},
  account: null,
  folders: [],
  problems: [],
  conflicts: [],
  // Why one of these four could not be read, by its name: what is shown of it is old, or nothing.
  unread: {},
  clouds: null,
  people: null,
  invitations: [],
  // What was done, the latest first, and whether that is all of it.
  activity: null,
  isActivityWhole: false,
  trash: null,
  settings: null,
  // The start at log-in: `answer`, or the `failure` of asking for it, and what is `wanted` while it is being switched.
  autostart: null,
  // What the account's server knows, `answer`, or the `failure` of asking for it: the account's computers, and what others read.
  devices: null,
  profile: null,
  // Where in the window: the screen's name, and a folder's id where it is about one.
  route: { screen: "folders", folder: null },
  // Which folder is to be added next, and where it is, where somebody has said so on another screen: `folder` and `place`.
  wanted: null,
  // An invitation that somebody else made: what it says, and its `secrets` until it `isAccepted`; `isWanted` where it is to be
  // accepted as soon as there is an account.
  invitation: null,
  // What a form has found out so far; gone with the screen.
  form: {},
  // What is shown once: keys, a link. It is in no other place.
  once: null,
  // The open dialog, by name, with what it is about.
  dialog: null,
  // The actions under way, by name, and why the last one failed.
  busy: new Set(),
  failure: null,
  // What was done, for everybody until the next action.
  said: "",
};

let drawing = () => {};
let isPlanned = false;

/** Draws by `draw` from now on. */
export function drawWith(draw) {
  drawing = draw;
}

export function update(changes) {
  Object.assign(state, changes);
  if (isPlanned) return;
  isPlanned = true;
  queueMicrotask(() => {
    isPlanned = false;
    drawing();
  });
}
