#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gopacer/base/http_url.h"
#include "observe/page_reader.h"
#include "observe/plan.h"
#include "ports/secret_source.h"

namespace gopacer {

/// PromQL with its placeholders filled in; those that are not known stay. Error: it gets too long.
Result<std::string> filled_in(const std::string& query, const std::map<std::string, std::string>& values);

/// A regular expression that matches the names of these pods, and of others of the same ReplicaSets, however many they
/// are: "checkout-5d8f-[^-]+". Of more ReplicaSets than a rollout has only the first ones.
std::string matching(const std::set<std::string>& pods);

/// Asks Prometheus servers what SLOs ask of them: for each arm of a profile once per interval. Called with the lock of
/// the PageReader held.
class QueryReader {
 public:
  struct Answer {
    std::optional<double> value;  ///< the latest one
    Time at;                      ///< of the value
    std::string problem;          ///< why the latest question gave none; a sentence, perhaps without a capital
  };
  /// A Secret's key, and the namespace that it is in.
  using SecretId = std::pair<std::string, SecretKey>;

  /// `fetcher` may be null: then nothing is asked. It resolves names.
  QueryReader(PageReader& pages, HttpFetcher* fetcher, const Clock& clock, const std::vector<std::string>& addresses,
              Duration fetch_timeout);

  /// What of the plan's SLOs is a query is asked from now on, for the arms that the plan has pods of.
  void follow(const ObjectKey& profile, const ScrapePlan& plan);
  void forget(const ObjectKey& profile);

  /// Asks what is due. Returns when the next question is, at most `latest`.
  Time run_due(Time now, Time latest);

  /// Null while nothing was asked.
  const Answer* answer_of(const ObjectKey& profile, const std::string& slo, Track track) const;

  /// The Secrets that have to be read, for the first time or again.
  std::vector<SecretId> due_secrets(Time now) const;
  void set_secret(const SecretId& id, Result<SecretValue> value, Time now);

 private:
  struct Question {
    ObjectKey profile;
    std::string slo;
    std::string arm;
    std::string target;
    std::string pods;
    PrometheusQuery query;
    Duration interval{0};
    Time due;
    bool busy = false;
    bool gone = false;
    Answer answer;
  };
  using QuestionPtr = std::shared_ptr<Question>;
  using QuestionId = std::tuple<ObjectKey, std::string, Track>;
  struct Secret {
    Result<SecretValue> value;
    Time read;          ///< or tried
    bool fresh = true;  ///< false: as soon as it has its turn it is read again
  };

  void drop_questions(const ObjectKey& profile);
  std::set<SecretId> wanted_secrets() const;
  void drop_unwanted_secrets();
  void ask(const QuestionPtr& question, Time now);
  Result<HttpRequest> request_for(const Question& question) const;
  Result<HttpUrl> server_of(const PrometheusQuery& query) const;

  PageReader& pages_;
  HttpFetcher* const fetcher_;
  const Clock& clock_;
  const std::vector<std::string> addresses_;
  const Duration fetch_timeout_;
  std::map<QuestionId, QuestionPtr> questions_;
  Time next_;  ///< when the first of them is due, or before
  Time last_;  ///< when it was looked for
  std::map<SecretId, Secret> secrets_;
};

}  // namespace gopacer
