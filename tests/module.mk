# Tests: unit (cmocka), cases (text), fuzz (libFuzzer), sim (virtual time), netns (pytest), the structure of the code. See
# tests/README.md.
#
#   make test     install what is missing, build, run everything; ends with "N passed, N failed"
#   make unit     the unit tests and the structure, with sanitizers, no network namespaces of the host needed

# A netns test that feeds bad input runs this build too.
SAN_BUILD := $(BUILD)/san
JOBS ?= $(shell nproc)
SAN_MAKE = $(MAKE) --no-print-directory -j$(JOBS) BUILD=$(SAN_BUILD) SAN=address,undefined CFLAGS="-O1 -g"

UNIT_TESTS := $(sort $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c)))
UNIT_LIBS := ctl agent engine parent config ipc sys elect proto netlink base
UNIT_PKGS := cmocka libevent hiredis libcurl libpq jansson libconfig libmnl libnl-3.0 libnl-route-3.0 libcap-ng $(SECCOMP) $(SYSTEMD)

$(BUILD)/tests/test_%: tests/unit/test_%.c $(foreach l,$(UNIT_LIBS),$(BUILD)/lib$(l).a)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(ALL_CFLAGS) -Itests $(call pkg_cflags,$(UNIT_PKGS)) -pie -o $@ $< -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group -Wl,--as-needed $(call pkg_libs,$(UNIT_PKGS)) -lm

.PHONY: unit-tests
unit-tests: $(addprefix $(BUILD)/tests/,$(UNIT_TESTS)) $(BUILD)/tests/case_run

include tests/unit/module.mk
include tests/cases/module.mk
include tests/sim/module.mk
include tests/netns/module.mk
include tests/bench/module.mk
include tests/fuzz/module.mk
-include $(wildcard $(BUILD)/tests/*.d)

.PHONY: unit
unit: all
	@$(SAN_MAKE) -s unit-tests
	@$(PYTHON) -B tests/tools/run_tests.py --build $(BUILD) --san $(SAN_BUILD) structure unit cases

# How much of the core its tests reach: lines and branches of vrrpd/proto and vrrpd/elect by cases and unit tests; then the same
# and vrrpd/engine with the simulator's seeds besides, where the engine's unit tests are left out.
COV_BUILD := $(BUILD)/cov
COV_TESTS := elect vrrp_timers vrrp_checksum vrrp_packet vrrp_packet_checks vrrp_packet_differ vrrp_packet_random
COV_MAKE = $(MAKE) --no-print-directory -s BUILD=$(COV_BUILD) CFLAGS="-O0 -g --coverage -U_FORTIFY_SOURCE" \
	HARDEN=-fPIE LDFLAGS=--coverage
COV_REPORT = gcovr --root . --exclude-unreachable-branches --exclude-branches-by-pattern '.*ASSERT\(.*' \
	--object-directory $(COV_BUILD)/obj
COV_OF = $(foreach d,$(1),--filter vrrpd/$d/) $(foreach d,$(1),$(COV_BUILD)/obj/vrrpd/$d)

.PHONY: coverage
coverage:
	@tests/tools/install_deps.sh test coverage
	@find $(COV_BUILD) -name '*.gcda' -delete 2>/dev/null || true
	@$(COV_MAKE) $(COV_BUILD)/tests/case_run $(COV_TESTS:%=$(COV_BUILD)/tests/test_%) $(COV_BUILD)/tests/sim
	@$(COV_BUILD)/tests/case_run tests/cases
	@set -e; for t in $(COV_TESTS); do $(COV_BUILD)/tests/test_$$t >$(COV_BUILD)/log 2>&1 || { cat $(COV_BUILD)/log; exit 1; }; done
	@$(COV_REPORT) $(call COV_OF,proto elect)
	@$(COV_REPORT) $(call COV_OF,proto elect) --branches --fail-under-branch 95
	@$(COV_BUILD)/tests/sim --seeds $(or $(SEEDS),1000)
	@$(COV_REPORT) $(call COV_OF,proto elect engine)
	@$(COV_REPORT) $(call COV_OF,proto elect engine) --branches

# Wrong versions of the core, one at a time: each must be noticed.
.PHONY: mutate
mutate:
	@tests/tools/install_deps.sh test
	@$(PYTHON) -B tests/tools/mutate.py --verbose

.PHONY: test
test:
	@tests/tools/install_deps.sh test
	@$(MAKE) --no-print-directory -s -j$(JOBS) all lab-tools sim-tools
	@$(SAN_MAKE) -s all unit-tests
	@$(FUZZ_MAKE) -s fuzz-targets
	@$(PYTHON) -B tests/tools/run_tests.py --build $(BUILD) --san $(SAN_BUILD) structure unit cases fuzz sim netns
