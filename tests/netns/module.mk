# Tests on a real kernel, in network namespaces, and the demo: both need root. Included by tests/module.mk.
#
#   make netns [NETNS="-k keepalived"]    build what is needed and run tests/netns with pytest
#   make netns REASONS=record             note which changes of state the tests expect, in tests/netns/reasons; anew: afresh
#   make systemd-test                     vrrpd as a service of a real systemd: needs a Debian or Ubuntu and its mirror
#   make demo                             the show: tests/tools/demo.py
#   make chaos [SECONDS=600] [SEED=...]   three hosts, everything happens to them at random: tests/tools/chaos.py
#   make anomalies [PHASE=takeover] [PROGRAM=vrrpd-engine] [WHAT=allocation|call|ack|request] [FROM=n] [TO=n] [PLACES=1]
#                  [LINGER=s]             the n-th of each fails, for every n, in every phase: tests/tools/anomalies.py
#   make splits [SPLITS=200] [SEED=...]   three hosts and an etcd, the network between them cut at random: tests/tools/splits.py

LAB_TOOLS := $(patsubst tests/support/%.c,$(BUILD)/tests/%,$(addprefix tests/support/,probe.c udp_echo.c holders.c api_load.c))
# The distribution's Python, where its scapy and pytest are; an own one earlier in the path has neither.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
# Says what to type, in one line, and ends make.
need_root = $(if $(filter 0,$(shell id -u)),,$(error this makes network namespaces and needs root; type: sudo make $@))

# Preloaded into vrrpd's programs: not an executable, and what it stands in for must not be checked or built in.
FAIL_NTH := $(BUILD)/tests/fail_nth.so

.PHONY: lab-tools
lab-tools: $(LAB_TOOLS) $(FAIL_NTH)

$(FAIL_NTH): tests/support/fail_nth.c tests/support/fail_nth_calls.h
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) -std=gnu11 -D_GNU_SOURCE -pthread $(WARN) $(CFLAGS) -U_FORTIFY_SOURCE -fno-builtin -fPIC -shared -o $@ $< -ldl

$(LAB_TOOLS): $(BUILD)/tests/%: tests/support/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(ALL_CFLAGS) -pie -o $@ $<

.PHONY: netns
netns:
	$(need_root)
	@$(MAKE) --no-print-directory -s all lab-tools
	@VRRPD_BUILD=$(abspath $(BUILD)) VRRPD_REASONS=$(REASONS) $(PYTHON) -B -m pytest -q -p no:cacheprovider $(NETNS) tests/netns

.PHONY: systemd-test
systemd-test:
	$(need_root)
	@tests/tools/install_deps.sh test systemd
	@$(MAKE) --no-print-directory -s all lab-tools
	@$(PYTHON) -B tests/tools/run_tests.py --build $(BUILD) --san $(SAN_BUILD) systemd

.PHONY: demo
demo:
	$(need_root)
	@tests/tools/install_deps.sh demo
	@$(MAKE) --no-print-directory -s all lab-tools
	@VRRPD_BUILD=$(abspath $(BUILD)) $(PYTHON) -B tests/tools/demo.py

.PHONY: chaos
chaos:
	$(need_root)
	@$(MAKE) --no-print-directory -s all lab-tools
	@VRRPD_BUILD=$(abspath $(BUILD)) $(PYTHON) -B tests/tools/chaos.py $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(SEED),--seed $(SEED))

.PHONY: anomalies
anomalies:
	$(need_root)
	@$(MAKE) --no-print-directory -s all lab-tools
	@VRRPD_BUILD=$(abspath $(BUILD)) $(PYTHON) -B tests/tools/anomalies.py $(if $(PHASE),--phase $(PHASE)) \
		$(if $(PROGRAM),--program $(PROGRAM)) $(if $(WHAT),--what $(WHAT)) $(if $(FROM),--from $(FROM)) \
		$(if $(TO),--to $(TO)) $(if $(VARIANT),--variant $(VARIANT)) $(if $(PLACES),--places) \
		$(if $(LINGER),--linger $(LINGER))

.PHONY: splits
splits:
	$(need_root)
	@tests/tools/install_deps.sh test
	@$(MAKE) --no-print-directory -s all lab-tools
	@VRRPD_BUILD=$(abspath $(BUILD)) $(PYTHON) -B tests/tools/splits.py $(if $(SPLITS),--splits $(SPLITS)) \
		$(if $(SEED),--seed $(SEED))
