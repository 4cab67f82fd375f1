# Programs that single unit tests start: built before the test.
$(BUILD)/tests/test_api: $(BUILD)/vrrpd-agent
$(BUILD)/tests/test_ctl: $(BUILD)/vrrpd $(BUILD)/vrrpd-agent $(BUILD)/vrrpctl
$(BUILD)/tests/test_ctl_verbs: $(BUILD)/vrrpctl
$(BUILD)/tests/test_verdicts: $(BUILD)/vrrpd-agent
