# The runner of the cases, and the target that runs them all. See tests/cases/README.md.

CASE_SRCS := case_events.c case_file.c case_packets.c case_questions.c case_run.c case_words.c case_world.c
CASE_OBJS := $(CASE_SRCS:%.c=$(BUILD)/obj/tests/support/%.o)

$(CASE_OBJS): $(BUILD)/obj/tests/support/%.o: tests/support/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(ALL_CFLAGS) -Itests -c -o $@ $<

$(BUILD)/tests/case_run: $(CASE_OBJS) $(BUILD)/libelect.a $(BUILD)/libproto.a $(BUILD)/libbase.a
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(SANFLAGS) $(LDHARDEN) $(LDFLAGS) -o $@ $^

.PHONY: cases
cases: $(BUILD)/tests/case_run
	@$< tests/cases
