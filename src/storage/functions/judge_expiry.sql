-- Whether a requested expiry is allowed, and which one holds. Pure, so that every bound can be tested to the
-- millisecond. `bound` is the instant that was missed, `bound_seconds` the lifetime it comes from. Nothing is ever
-- clamped: a wrong request is refused. A default outside the organization's own bounds gives way to them.
create or replace function keyturn.judge_expiry(
  p_now timestamptz,
  p_requested timestamptz,
  p_default_lifetime_seconds integer,
  p_min_lifetime_seconds integer,
  p_max_lifetime_seconds integer,
  out verdict text,
  out expires_at timestamptz,
  out bound timestamptz,
  out bound_seconds integer
)
language plpgsql immutable
as $$
declare
  earliest timestamptz := p_now + make_interval(secs => p_min_lifetime_seconds);
  latest timestamptz := p_now + make_interval(secs => p_max_lifetime_seconds);
begin
  expires_at := coalesce(p_requested, p_now + make_interval(secs =>
    least(greatest(p_default_lifetime_seconds, p_min_lifetime_seconds), p_max_lifetime_seconds)));
  if expires_at <= p_now then
    verdict := 'expiry_in_past'; bound := p_now; bound_seconds := 0;
  elsif p_requested < earliest then
    verdict := 'expiry_below_minimum'; bound := earliest; bound_seconds := p_min_lifetime_seconds;
  elsif p_requested > latest then
    verdict := 'expiry_above_maximum'; bound := latest; bound_seconds := p_max_lifetime_seconds;
  else
    verdict := 'allowed';
  end if;
end
$$;
