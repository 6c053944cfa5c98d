from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents_app"
    label = "agents"
    verbose_name = "Agents"

    def ready(self) -> None:
        """Have the gateway answer for agents, and prompts and aliases know which agents use them."""
        from agents_app import where_used
        from agents_app.shapes import agent_shapes
        from console.catalog import where_used as of_aliases
        from console.gateway import agents
        from prompts_app import where_used as of_prompts

        agents.SOURCES.append(agent_shapes)
        of_prompts.SOURCES.append(where_used.agents_with)
        of_aliases.register(where_used.UsesOfAliases())
