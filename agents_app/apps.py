from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents_app"
    label = "agents"
    verbose_name = "Agents"

    def ready(self) -> None:
        """Have the gateway answer for agents, others know which agents use them, and queues which runs have ended."""
        from agents_app import where_used
        from agents_app.engine import ending
        from agents_app.shapes import agent_shapes
        from agents_app.tools.queue import wake
        from console.catalog import where_used as of_aliases
        from console.gateway import agents
        from console.knowledge import where_used as of_collections
        from prompts_app import where_used as of_prompts
        from usage_app import scopes

        agents.SOURCES.append(agent_shapes)
        ending.LISTENERS.append(wake.run_ended)
        of_prompts.SOURCES.append(where_used.agents_with_prompt)
        of_collections.SOURCES += [where_used.agents_from, where_used.tools_in]
        of_aliases.ALIAS_SOURCES.append(where_used.agents_with_alias)
        where_used.SOURCES += [where_used.triggers_of, where_used.tools_of, where_used.quotas_of]
        scopes.SOURCES.append(where_used.limited_in)
