public import Delivery
import JSON
import Model

// Messages that events send (spec: braze-destination §10): a connection may hold any number of these, each with its own
// events and condition.

extension BrazeDestination {
    public static let triggers: [MappingPreset] = [
        MappingPreset(
            name: "trigger_campaign", title: "Trigger a campaign",
            explanation: "The event sends an API-triggered campaign (/campaigns/trigger/send).", calls: [.track],
            isOnAtFirst: true, options: ["action": .string(BrazeAction.triggerCampaign.rawValue), "to": "user"],
            settings: [
                id("campaignId", "Campaign ID", "Stands on the campaign’s page in Braze, under Schedule Delivery.")
            ] + recipients + [properties("trigger_properties")] + [
                setting(
                    "attachments", "Attachments", "File name = address: invoice.pdf = $.properties.invoice_url.", .table
                ),
                setting(
                    "sendId", "Send ID", "Groups the sends in Braze’s statistics: a text, a path or a template.", .text),
                audience,
            ]),
        MappingPreset(
            name: "trigger_canvas", title: "Trigger a Canvas",
            explanation: "The event lets people enter an API-triggered Canvas (/canvas/trigger/send).", calls: [.track],
            isOnAtFirst: true, options: ["action": .string(BrazeAction.triggerCanvas.rawValue), "to": "user"],
            settings: [id("canvasId", "Canvas ID", "Stands on the Canvas’s page in Braze, under Entry Schedule.")]
                + recipients + [properties("canvas_entry_properties"), audience]),
    ]

    private static let priorities = ["identified", "unidentified", "most_recently_updated", "least_recently_updated"]

    private static let recipients = [
        setting(
            "to", "Who gets it",
            "user: whom the event is about. list: the people of a list in the event. broadcast: everybody in the message’s "
                + "own audience, once for every event.", .choice(["user", "list", "broadcast"])),
        setting(
            "recipients", "The list",
            "Where it stands in the event; $.properties.recipients if not set. User ids, or objects with "
                + "external_user_id, user_alias or email. 50 people at most.", .text),
        setting(
            "fields", "Identifiers",
            "What the user is called instead of the event’s user id: external_id = $.properties.owner_id.", .table),
        setting(
            "attributes", "Attributes",
            "Custom attributes that Braze sets before it builds the message: last_order = $.properties.order_id.",
            .table),
        setting(
            "createUsers", "Create people whom Braze does not know",
            "Otherwise the message goes to existing profiles only. Braze creates nobody without attributes.", .flag),
        setting(
            "firstPriority", "Of several profiles with the e-mail address",
            "For people known by their address only: identified if not set.", .choice(priorities)),
        setting(
            "secondPriority", "And of those", "most_recently_updated if neither is set.", .choice(priorities)),
    ]

    private static let audience = setting(
        "audience", "Only those of whom this holds",
        "A connected audience of Braze’s, as JSON: {\"AND\":[{\"custom_attribute\":{…}}]}.", .object)

    private static func id(_ key: String, _ label: String, _ hint: String) -> MappingPreset.Setting {
        MappingPreset.Setting(key: key, label: label, hint: hint, control: .text, isRequired: true)
    }

    private static func properties(_ field: String) -> MappingPreset.Setting {
        setting(
            "properties", "Properties of the message",
            "What the message can say (\(field)): total = $.properties.total. All properties of the event if not set.",
            .table)
    }

    private static func setting(
        _ key: String, _ label: String, _ hint: String, _ control: MappingPreset.Setting.Control
    ) -> MappingPreset.Setting {
        MappingPreset.Setting(key: key, label: label, hint: hint, control: control)
    }
}
