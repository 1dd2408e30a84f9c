#include "observe/query_reader.h"

#include <algorithm>
#include <array>

#include "gopacer/base/text.h"
#include "observe/query_answer.h"

namespace gopacer {
namespace {

/// A Secret that changes is noticed after this time, or when the server refuses what it had.
constexpr Duration kSecretsLife = std::chrono::minutes(1);
constexpr Duration kShortestQuestion = std::chrono::seconds(5);
/// A question that is still under way when it is due again is looked at so often.
constexpr Duration kShortestWait = std::chrono::seconds(1);
/// Read one after the other by a thread that has other things to do, too.
constexpr std::size_t kMostSecretsAtOnce = 32;
constexpr std::size_t kLongestQuery = 4096;
/// A rollout under way has two ReplicaSets, and seldom more.
constexpr std::size_t kMostPatterns = 8;

std::string name_of(Track track) {
  switch (track) {
    case Track::kStable:
      return "target";
    case Track::kCanary:
      return "canary";
    case Track::kBaseline:
      return "baseline";
  }
  return {};
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
        c == '.') {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
    }
  }
  return out;
}

/// Why a question gave no number; a sentence.
std::string failure(const std::string& arm, const HttpRequest& request, const PageError& error) {
  const std::string server = "Prometheus at " + request.address + ":" + std::to_string(request.port);
  const std::string query = "the query for the " + arm;
  if (error.failure == PageFailure::kContent) return query + " " + error.detail;
  if (error.failure == PageFailure::kTooLong) return query + " gives far more than one number";
  if (error.failure == PageFailure::kTls) {
    return server + " is not trusted (" + error.detail +
           "): give the operator the CA of its certificate (prometheus.ca)";
  }
  if (error.failure != PageFailure::kStatus) {
    return server + " gave no answer (" + error.detail + "): check prometheus.addresses of the operator's chart";
  }
  const std::string answered = server + " answered HTTP " + std::to_string(error.status);
  if ((error.status == 401 || error.status == 403) && !request.authorization.empty()) {
    return answered + ": it refuses what the Secret of spec.slos[].prometheus.authorization has";
  }
  if (error.status == 401 || error.status == 403) {
    return answered + ": it asks for credentials; name a Secret in spec.slos[].prometheus.authorization";
  }
  if (error.status == 400 || error.status == 422) {
    return answered + ": it does not take the query; try it in Prometheus' own page";
  }
  return answered + ": look at its log, and check prometheus.addresses of the operator's chart";
}

/// "60000ms", as PromQL writes it.
std::string promql_duration(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) + "ms";
}

}  // namespace

Result<std::string> filled_in(const std::string& query, const std::map<std::string, std::string>& values) {
  std::string out;
  std::size_t from = 0;
  while (out.size() <= kLongestQuery) {
    const std::size_t close = query.find("}}", from);
    const std::size_t open = close == query.npos ? query.npos : query.rfind("{{", close);
    if (close == query.npos) {
      out += query.substr(from);
      break;
    }
    const std::size_t next = close + 2;
    std::string name = open == query.npos || open < from ? "" : query.substr(open + 2, close - open - 2);
    std::erase(name, ' ');
    const auto value = values.find(name);
    out += value == values.end() ? query.substr(from, next - from) : query.substr(from, open - from) + value->second;
    from = next;
  }
  if (out.size() > kLongestQuery) {
    return invalid("has more than " + std::to_string(kLongestQuery) + " characters once it is filled in");
  }
  return out;
}

std::string matching(const std::set<std::string>& pods) {
  std::set<std::string> patterns;
  for (const std::string& pod : pods) {
    std::string pattern;
    for (const char c : pod.substr(0, pod.rfind('-'))) pattern += c == '.' ? "[.]" : std::string(1, c);
    patterns.insert(pattern + (pod.find('-') == pod.npos ? "" : "-[^-]+"));
    if (patterns.size() == kMostPatterns) break;
  }
  std::string all;
  for (const std::string& pattern : patterns) all += (all.empty() ? "" : "|") + pattern;
  return all;
}

QueryReader::QueryReader(PageReader& pages, HttpFetcher* fetcher, const Clock& clock,
                         const std::vector<std::string>& addresses, Duration fetch_timeout)
    : pages_(pages), fetcher_(fetcher), clock_(clock), addresses_(addresses), fetch_timeout_(fetch_timeout) {}

void QueryReader::follow(const ObjectKey& profile, const ScrapePlan& plan) {
  std::map<Track, std::set<std::string>> arms;
  for (const PodTarget& pod : plan.pods) arms[pod.track].insert(pod.pod.name);
  std::map<QuestionId, QuestionPtr> wanted;
  for (const Slo& slo : plan.slos) {
    const PrometheusQuery* const query = slo.query();
    if (query == nullptr) continue;
    for (const auto& [track, pods] : arms) {
      const QuestionId id{profile, slo.name, track};
      const auto known = questions_.find(id);
      const bool same = known != questions_.end() && known->second->query == *query;
      const QuestionPtr question = same ? known->second : std::make_shared<Question>();
      question->profile = profile;
      question->slo = slo.name;
      question->arm = name_of(track);
      question->target = plan.target;
      question->pods = matching(pods);
      question->query = *query;
      question->interval = std::max(plan.interval, kShortestQuestion);
      wanted.emplace(id, question);
    }
  }
  drop_questions(profile);
  for (const auto& [id, question] : wanted) question->gone = false;
  questions_.merge(wanted);
  next_ = {};
  drop_unwanted_secrets();
}

void QueryReader::forget(const ObjectKey& profile) {
  drop_questions(profile);
  drop_unwanted_secrets();
}

void QueryReader::drop_questions(const ObjectKey& profile) {
  const auto is_its = [&](const auto& entry) { return std::get<0>(entry.first) == profile; };
  for (const auto& entry : questions_) {
    if (is_its(entry)) entry.second->gone = true;
  }
  std::erase_if(questions_, is_its);
}

std::set<QueryReader::SecretId> QueryReader::wanted_secrets() const {
  std::set<SecretId> wanted;
  for (const auto& [id, question] : questions_) {
    if (const auto& secret = question->query.authorization) wanted.emplace(question->profile.ns, *secret);
  }
  return wanted;
}

void QueryReader::drop_unwanted_secrets() {
  if (secrets_.empty()) return;
  const std::set<SecretId> wanted = wanted_secrets();
  std::erase_if(secrets_, [&](const auto& entry) { return !wanted.contains(entry.first); });
}

Time QueryReader::run_due(Time now, Time latest) {
  const bool set_back = now < last_;
  last_ = now;
  // Pods are due many times a second, and each time this is called.
  if (now < next_ && !set_back) return std::min(next_, latest);
  next_ = Time::max();
  for (const auto& [id, question] : questions_) {
    // A clock that was set back must not stop the reading.
    if (question->due > now + 2 * question->interval) question->due = now;
    if (question->due <= now && !question->busy) {
      question->due = now + question->interval;
      ask(question, now);
    }
    next_ = std::min(next_, std::max(question->due, now + kShortestWait));
  }
  return std::min(next_, latest);
}

void QueryReader::ask(const QuestionPtr& question, Time now) {
  Result<HttpRequest> request = request_for(*question);
  if (!request) {
    question->answer.problem = request.error().message;
    // What is not there yet may be soon.
    question->due = std::min(question->due, now + std::chrono::seconds(15));
    return;
  }
  question->busy = true;
  pages_.read_by(
      *fetcher_, pages_.queries, false, question->profile, PageKind::kQuery, *request, std::make_shared<QueryAnswer>(),
      [question] { return !question->gone; },
      [this, question, request = *request](const tl::expected<double, PageError>& answer) {
        question->busy = false;
        if (answer) {
          question->answer = {*answer, clock_.now(), {}};
          return;
        }
        if (const auto& secret = question->query.authorization; secret && answer.error().status == 401) {
          const auto known = secrets_.find({question->profile.ns, *secret});
          if (known != secrets_.end()) known->second.fresh = false;
        }
        question->answer.problem = failure(question->arm, request, answer.error());
      });
}

Result<HttpRequest> QueryReader::request_for(const Question& question) const {
  const PrometheusQuery& query = question.query;
  if (fetcher_ == nullptr) return retriable("no Prometheus server can be asked here");
  const Result<HttpUrl> server = server_of(query);
  if (!server) return tl::unexpected(server.error());
  HttpRequest request;
  request.address = server->host;
  request.port = server->port;
  request.tls = server->tls;
  request.headers = query.headers;
  request.accept = "application/json";
  request.timeout = fetch_timeout_;
  request.most_bytes = QueryAnswer::kMostBytes + 1;
  const Result<std::string> promql = filled_in(query.query, {{"namespace", question.profile.ns},
                                                             {"target", question.target},
                                                             {"arm", question.arm},
                                                             {"pods", question.pods},
                                                             {"window", promql_duration(query.window)}});
  if (!promql) return invalid("the query for the " + question.arm + " " + promql.error().message);
  request.target = server->path + "/api/v1/query?query=" + percent_encoded(*promql);
  if (!query.authorization) return request;
  const auto secret = secrets_.find({question.profile.ns, *query.authorization});
  if (secret == secrets_.end()) return retriable("Secret " + query.authorization->name + " has not been read yet");
  if (!secret->second.value) return tl::unexpected(secret->second.value.error());
  if (!server->tls) {
    return invalid("a Secret is only sent over https: give an https:// address as spec.slos[].prometheus.address");
  }
  const Result<HttpUrl> theirs = parse_http_url(secret->second.value->server);
  if (!theirs || *theirs != *server) {
    return invalid("Secret " + query.authorization->name +
                   " is not for this server: its key 'address' has to have the server's address, https://" +
                   server->place() + server->path);
  }
  request.authorization = secret->second.value->value;
  return request;
}

/// Whoever writes profiles must not be able to send the operator's requests anywhere.
Result<HttpUrl> QueryReader::server_of(const PrometheusQuery& query) const {
  if (addresses_.empty()) {
    return invalid("the operator knows no Prometheus server: name it in prometheus.addresses of its chart");
  }
  const std::string address = query.address.empty() ? addresses_.front() : query.address;
  if (std::find(addresses_.begin(), addresses_.end(), address) == addresses_.end()) {
    return invalid("'" + shown(address, 200) +
                   "' is not among the servers that the operator may ask: give one of them as "
                   "spec.slos[].prometheus.address, or add it to prometheus.addresses of the operator's chart");
  }
  Result<HttpUrl> url = parse_http_url(address);
  if (!url) return invalid("'" + shown(address, 200) + "' " + url.error().message);
  return url;
}

const QueryReader::Answer* QueryReader::answer_of(const ObjectKey& profile, const std::string& slo, Track track) const {
  const auto found = questions_.find({profile, slo, track});
  return found == questions_.end() ? nullptr : &found->second->answer;
}

std::vector<QueryReader::SecretId> QueryReader::due_secrets(Time now) const {
  std::vector<SecretId> due;
  const auto read_at = [&](const SecretId& id) {
    const auto known = secrets_.find(id);
    return known == secrets_.end() ? Time::min() : known->second.read;
  };
  for (const SecretId& id : wanted_secrets()) {
    const auto known = secrets_.find(id);
    const bool fresh = known != secrets_.end() && known->second.fresh && now - known->second.read < kSecretsLife &&
                       known->second.read <= now;
    if (!fresh) due.push_back(id);
  }
  // Whose turn was longest ago comes first, or those whose names come late would never have one.
  std::stable_sort(due.begin(), due.end(),
                   [&](const SecretId& one, const SecretId& other) { return read_at(one) < read_at(other); });
  if (due.size() > kMostSecretsAtOnce) due.resize(kMostSecretsAtOnce);
  return due;
}

void QueryReader::set_secret(const SecretId& id, Result<SecretValue> value, Time now) {
  const bool passing = !value && value.error().kind == ErrorKind::kRetriable;
  const auto known = secrets_.find(id);
  // An API server that does not answer for a moment says nothing about the Secret.
  if (passing && known != secrets_.end() && known->second.value) {
    known->second.read = now;
    known->second.fresh = false;
    return;
  }
  secrets_.insert_or_assign(id, Secret{std::move(value), now, !passing});
}

}  // namespace gopacer
