# Tests: unit (cmocka), cases (text), sim (virtual time), netns (pytest), the structure of the code. See tests/README.md.
#
#   make test     install what is missing, build, run everything; ends with "N passed, N failed"
#   make unit     the unit tests and the structure, with sanitizers, no network namespaces of the host needed

# A netns test that feeds bad input runs this build too.
SAN_BUILD := $(BUILD)/san
SAN_MAKE = $(MAKE) --no-print-directory BUILD=$(SAN_BUILD) SAN=address,undefined CFLAGS="-O1 -g"

UNIT_TESTS := $(sort $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c)))
UNIT_LIBS := agent engine parent config ipc sys elect proto netlink base
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
-include $(wildcard $(BUILD)/tests/*.d)

.PHONY: unit
unit: all
	@$(SAN_MAKE) -s unit-tests
	@$(PYTHON) -B tests/tools/run_tests.py --build $(BUILD) --san $(SAN_BUILD) structure unit cases

.PHONY: test
test:
	@tests/tools/install_deps.sh test
	@$(MAKE) --no-print-directory -s all lab-tools sim-tools
	@$(SAN_MAKE) -s all unit-tests
	@$(PYTHON) -B tests/tools/run_tests.py --build $(BUILD) --san $(SAN_BUILD) structure unit cases sim netns
