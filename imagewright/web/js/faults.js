// Plain words for what can go wrong; what is not listed is told as the server told it.
const TITLES = {
  unreachable: "The server does not answer",
  invalid_token: "This token is not known here",
  rate_limited: "Too many requests",
  queue_full: "Too much waits already",
  budget_spent: "The budget is spent",
  cannot_draw: "Nothing here can draw this",
  needs_answer: "A question first",
  too_large: "That is too large",
  cancelled: "Stopped",
  server_error: "A bug of ours",
  stopping: "The server is about to stop",
};

export function describeFault(error) {
  return {
    title: TITLES[error.code] ?? "That did not work",
    message: error.message ?? String(error),
    remedy: error.remedy ?? "",
  };
}
