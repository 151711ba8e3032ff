"""The chart uninstalled: what it leaves, and what a release installed over it makes of that."""

from clouds import Cloud, assert_no_double_allocation
from release import Release, claims, guests


def test_uninstalling_keeps_every_object_and_installing_again_takes_over(release: Release, cloud: Cloud) -> None:
    cloud.up(cloud.pool(2), cloud.flavor(), cloud.image(), cloud.network(), cloud.vm("one"), cloud.vm("two"))
    before, held = guests(cloud), claims(cloud)
    release.uninstall()
    assert (guests(cloud), claims(cloud)) == (before, held)
    cloud.apply(cloud.vm("three"))  # the kinds are still served
    release.upgrade()
    cloud.ready(cloud.vm("three"))
    del (after := guests(cloud))["three"]
    assert after == before
    del (kept := claims(cloud))["three"]
    assert kept == held
    assert_no_double_allocation(release.kubectl, cloud.namespace)
