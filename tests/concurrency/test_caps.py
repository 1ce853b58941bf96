from __future__ import annotations

from bench.capped import crowd

CAP = 7


def test_a_cap_holds_however_many_claim_at_once(database_url):
    """Twenty claimers on connections of their own, 600 claims or more; no committed state shows more than the cap."""
    found = crowd(database_url, cap=CAP, claimers=20, tries=600)

    assert 1 < found.most_running <= CAP
    assert found.claimed >= 10 * CAP
