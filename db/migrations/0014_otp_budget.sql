-- How many one-time codes went out, by the minute: from one network ("network
-- 203.0.113.7") and altogether ("total"). What is older than an hour means
-- nothing and is removed.
-- Key space: bucket.
create table otp_budget (
  bucket text        not null,
  minute timestamptz not null,
  sent   integer     not null
    constraint otp_budget_sent_positive check (sent > 0),
  primary key (bucket, minute)
);
create index otp_budget_by_minute on otp_budget (minute);
