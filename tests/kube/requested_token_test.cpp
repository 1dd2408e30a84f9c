#include "kube/requested_token.h"

#include <gmock/gmock.h>

#include "fakes/fake_steady_clock.h"

namespace gopacer::kube {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class RequestedTokenTest : public testing::Test {
 protected:
  FakeSteadyClock clock_;
  Result<IssuedToken> answer_ = IssuedToken{"first", minutes(20)};
  int requests_ = 0;
  RequestedToken token_{[this] {
                          ++requests_;
                          return answer_;
                        },
                        clock_};
};

TEST_F(RequestedTokenTest, SaysThatTheFirstTokenIsOnItsWay) {
  EXPECT_EQ(token_.token().error().kind, ErrorKind::kRetriable);
  EXPECT_EQ(requests_, 0) << "whoever wants one must not wait for it";
  token_.step();
  EXPECT_EQ(token_.token().value(), "first");
}

TEST_F(RequestedTokenTest, IsReplacedInTheMiddleOfItsLife) {
  EXPECT_EQ(token_.step(), Duration(minutes(10)));
  clock_.advance(minutes(9));
  EXPECT_EQ(token_.step(), Duration(minutes(1)));
  EXPECT_EQ(requests_, 1);
  clock_.advance(minutes(1));
  answer_ = IssuedToken{"second", minutes(20)};
  token_.step();
  EXPECT_EQ(token_.token().value(), "second");
}

TEST_F(RequestedTokenTest, TheOldTokenServesAsLongAsItLives) {
  token_.step();
  answer_ = retriable("no route");
  clock_.advance(minutes(19));
  EXPECT_EQ(token_.step(), Duration(seconds(15)));
  EXPECT_EQ(token_.token().value(), "first");
  clock_.advance(minutes(1));
  EXPECT_EQ(token_.token().error().message, "no route") << "and then nothing is sent";
}

TEST_F(RequestedTokenTest, TellsWhyThereIsNone) {
  answer_ = invalid("cannot make a token: forbidden");
  token_.step();
  EXPECT_EQ(token_.token().error().message, "cannot make a token: forbidden");
}

TEST_F(RequestedTokenTest, IsAskedForAnewWhenItWasRefusedButNotInATightLoop) {
  token_.step();
  for (int i = 0; i < 100; ++i) {
    token_.refused();
    token_.step();
  }
  EXPECT_EQ(requests_, 1);
  clock_.advance(seconds(15));
  token_.step();
  EXPECT_EQ(requests_, 2);
}

}  // namespace
}  // namespace gopacer::kube
