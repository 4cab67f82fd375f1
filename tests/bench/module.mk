# make bench: vrrpd beside the distribution's keepalived, as JSON lines in build/bench.jsonl and as a table. Needs root.
# Included by tests/module.mk.
#
#   make bench [ONLY=silence,cpu] [QUICK=1] [SUBJECTS=keepalived]
#
# ONLY: silence, survival, cpu, soak, takeover, memory, checks, follow, splits, status. QUICK: one round of everything. SUBJECTS: one of the two daemons.

BENCH_PROGS := $(patsubst tests/bench/%.c,$(BUILD)/tests/%,$(wildcard tests/bench/bench_*.c))

.PHONY: bench-tools
bench-tools: $(BENCH_PROGS)

$(BENCH_PROGS): $(BUILD)/tests/%: tests/bench/%.c tests/bench/bench_util.h
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $<

.PHONY: bench
bench:
	@tests/tools/install_deps.sh build bench
	@$(MAKE) --no-print-directory -s all lab-tools bench-tools
	@$(or $(PYTHON),python3) -B tests/bench/bench.py --build $(BUILD) $(if $(ONLY),--only $(ONLY)) \
		$(if $(QUICK),--quick) $(if $(SUBJECTS),--subjects $(SUBJECTS))
