package rig

import (
	"errors"
	"slices"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestWhatAClientWasToldIsComparedWithTheTable(t *testing.T) {
	cases := []struct {
		name      string
		operation Operation
		values    []string
		expected  Verdict
	}{
		{"done and there", Operation{Done, "a"}, []string{"a"}, Verdict{}},
		{"done, the value is not looked at", Operation{Done, ""}, []string{"a"}, Verdict{}},
		{"done and lost", Operation{Done, "a"}, nil, Verdict{Lost: []string{"key"}}},
		{"done and something else", Operation{Done, "a"}, []string{"b"},
			Verdict{Changed: []string{`key: "a" was acknowledged, "b" is there`}}},
		{"done twice", Operation{Done, "a"}, []string{"a", "a"}, Verdict{Doubled: []string{"key"}}},
		{"refused and not there", Operation{Refused, "a"}, nil, Verdict{}},
		{"refused and there", Operation{Refused, "a"}, []string{"a"}, Verdict{Ghosts: []string{"key"}}},
		{"unknown and not there", Operation{Unknown, "a"}, nil, Verdict{}},
		{"unknown and there", Operation{Unknown, "a"}, []string{"a"}, Verdict{Found: 1}},
	}
	for _, c := range cases {
		var verdict Verdict
		verdict.judge("key", c.operation, c.values)
		same := slices.Equal(verdict.Lost, c.expected.Lost) && slices.Equal(verdict.Changed, c.expected.Changed) &&
			slices.Equal(verdict.Ghosts, c.expected.Ghosts) && slices.Equal(verdict.Doubled, c.expected.Doubled) &&
			verdict.Found == c.expected.Found
		if !same {
			t.Errorf("%s: %+v", c.name, verdict)
		}
	}
}

func TestARetryNeverUnsaysWhatIsKnown(t *testing.T) {
	cases := []struct {
		outcomes []Outcome
		expected Outcome
	}{
		{[]Outcome{Unknown, Done}, Done},
		{[]Outcome{Done, Refused}, Done},
		{[]Outcome{Done, Unknown}, Done},
		// The first try may still have happened.
		{[]Outcome{Unknown, Refused}, Unknown},
		{[]Outcome{Refused, Done}, Done},
		{[]Outcome{Refused, Unknown}, Unknown},
	}
	for _, c := range cases {
		history := NewHistory()
		for _, outcome := range c.outcomes {
			history.Record("write", "key", outcome, "")
		}
		if history.Count("write", c.expected) != 1 || history.Size("write") != 1 {
			t.Errorf("%v is not %v", c.outcomes, c.expected)
		}
	}
}

func TestOnlyTheServerCanRefuse(t *testing.T) {
	said, err := status.New(codes.Unavailable, "no database").WithDetails(&errdetails.RetryInfo{})
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		err      error
		expected Outcome
	}{
		{nil, Done},
		{status.Error(codes.Aborted, "somebody else has it"), Refused},
		{said.Err(), Refused},
		{status.Error(codes.Unavailable, "connection refused"), Unknown},
		{status.Error(codes.DeadlineExceeded, "too late"), Unknown},
		{status.Error(codes.Unknown, "whether it happened"), Unknown},
		{errors.New("something else"), Unknown},
	}
	for _, c := range cases {
		if outcome := OutcomeOf(c.err); outcome != c.expected {
			t.Errorf("%v is %v", c.err, outcome)
		}
	}
}
