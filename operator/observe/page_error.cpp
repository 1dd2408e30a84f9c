#include "observe/page_error.h"

namespace gopacer {
namespace {

/// What to do when nothing useful is at the port at all.
std::string port_advice(PageKind kind) {
  if (kind == PageKind::kMetrics) return "check the SLO's port";
  if (kind == PageKind::kAgent)
    return "check the pod of gopacer's agent on that node, and that NetworkPolicies let the operator reach it";
  if (kind == PageKind::kCadvisor) return "check that the kubelet listens there and that nothing stands between";
  return "import net/http/pprof and serve it on that port at the pod's address, or give another port "
         "(spec.runtimeMetrics.port; advise: --url)";
}

std::string path_advice(PageKind kind) {
  if (kind == PageKind::kMetrics) return "check the SLO's port and path";
  if (kind == PageKind::kAgent) return "the agent does not know the container (yet): see its log";
  if (kind == PageKind::kCadvisor) return "check that this is a kubelet's port";
  return "import net/http/pprof there, or give another port and path (spec.runtimeMetrics; advise: --url)";
}

PageFailure page_failure(FetchFailure failure) {
  switch (failure) {
    case FetchFailure::kRefused:
      return PageFailure::kRefused;
    case FetchFailure::kTimedOut:
      return PageFailure::kTimedOut;
    case FetchFailure::kTooLong:
      return PageFailure::kTooLong;
    case FetchFailure::kRedirected:
      return PageFailure::kRedirected;
    case FetchFailure::kNotHttp:
      return PageFailure::kNotHttp;
    case FetchFailure::kNoAnswer:
      return PageFailure::kNoAnswer;
    case FetchFailure::kCutOff:
      return PageFailure::kCutOff;
    case FetchFailure::kTls:
      return PageFailure::kTls;
    case FetchFailure::kUnreachable:
    case FetchFailure::kStopped:
      break;
  }
  return PageFailure::kUnreachable;
}

std::string status_text(PageKind kind, const PageError& error) {
  const std::string answered = "answered HTTP " + std::to_string(error.status);
  if (kind == PageKind::kCadvisor) {
    if (error.status == 401)
      return answered +
             ": the kubelet does not accept the token that the API server made; check its webhook authentication";
    if (error.status == 403) return answered + ": grant the account of --kubelet-account get on nodes/metrics";
  }
  if (error.status == 401 || error.status == 403) {
    return answered + ": the page asks for credentials; serve it without on a port that only the cluster reaches";
  }
  if (error.status == 404) return answered + ": " + path_advice(kind);
  if (kind == PageKind::kCpuProfile)
    return answered + ": another profile may be running there; GC CPU is estimated without one";
  return answered + ": look at the log of what serves this page";
}

}  // namespace

std::string to_string(PageKind kind) {
  switch (kind) {
    case PageKind::kHeap:
      return "heap";
    case PageKind::kVars:
      return "vars";
    case PageKind::kMetrics:
      return "metrics";
    case PageKind::kCpuProfile:
      return "cpu_profile";
    case PageKind::kCadvisor:
      return "cadvisor";
    case PageKind::kQuery:
      return "query";
    case PageKind::kAgent:
      return "agent";
  }
  return {};
}

std::string to_string(PageFailure failure) {
  switch (failure) {
    case PageFailure::kNone:
      return "none";
    case PageFailure::kRefused:
      return "refused";
    case PageFailure::kUnreachable:
      return "unreachable";
    case PageFailure::kTimedOut:
      return "timed_out";
    case PageFailure::kTooLong:
      return "too_long";
    case PageFailure::kRedirected:
      return "redirected";
    case PageFailure::kNotHttp:
      return "not_http";
    case PageFailure::kNoAnswer:
      return "no_answer";
    case PageFailure::kCutOff:
      return "cut_off";
    case PageFailure::kTls:
      return "tls";
    case PageFailure::kStatus:
      return "status";
    case PageFailure::kContent:
      return "content";
  }
  return {};
}

PageError page_error(const FetchError& error) { return {page_failure(error.failure), 0, error.detail}; }
PageError page_error(const HttpAnswer& answer) { return {PageFailure::kStatus, answer.status, {}}; }

std::string failure_text(PageKind kind, const std::string& subject, const HttpRequest& request,
                         const PageError& error) {
  const std::string port = subject + ": port " + std::to_string(request.port);
  const std::string page = port + " " + request.target;
  switch (error.failure) {
    case PageFailure::kRefused:
      return port + " refused the connection: " + port_advice(kind);
    case PageFailure::kUnreachable:
      return port + " at " + request.address + " cannot be reached (" + error.detail +
             "): check NetworkPolicies and that the operator can reach the pod network";
    case PageFailure::kTimedOut:
      return page + " gave " + error.detail + " (" + format_duration(request.timeout) +
             "): it may be starved of CPU, or a NetworkPolicy drops the operator's packets";
    case PageFailure::kTooLong:
      return page + " is of no use: " + error.detail + "; " + path_advice(kind);
    case PageFailure::kRedirected:
      return page + " is of no use: " + error.detail + ", and redirects are not followed; " + path_advice(kind);
    case PageFailure::kNotHttp:
      return page + " is of no use: " + error.detail + "; " + port_advice(kind);
    case PageFailure::kNoAnswer:
      return port + " gave no answer: " + error.detail +
             ". Most often it wants TLS, and mostly the mTLS of a mesh (Istio's PeerAuthentication STRICT): set it to "
             "PERMISSIVE for this port (portLevelMtls), or keep the port out of the mesh "
             "(traffic.sidecar.istio.io/excludeInboundPorts); a port of the program's own TLS can't be read, serve the "
             "page on another. Without TLS and mesh look at the log of what listens there";
    case PageFailure::kCutOff:
      return page + " broke off: " + error.detail +
             "; the next reading follows, and if this stays look at the log of what serves the page";
    case PageFailure::kTls:
      return port + " is not trusted (" + error.detail +
             "): give the operator the CA of the kubelets' certificates, or waive the check "
             "(kubelet.insecureSkipVerify)";
    case PageFailure::kStatus:
      return page + " " + status_text(kind, error);
    case PageFailure::kContent:
      return page + " " + error.detail;
    case PageFailure::kNone:
      break;
  }
  return page + " is fine";
}

}  // namespace gopacer
